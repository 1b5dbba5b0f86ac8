#!/usr/bin/env bash
# treemill compress: what other programs read of its files, what the files inherit, what stays when
# something is in the way. (What others have made: test_decompress.sh.)
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

# Sizes around the blocks, 1 MiB of gzip and 2 MiB of zstd; odd names.
make_tree() { # DIR
    local i
    mkdir -p "$1/deep/er" "$1/with space"
    for i in 0 1 4095 1048575 1048576 1048577 2097151 2097152 2097153 3200000; do
        head -c "$i" /dev/urandom | base64 -w 0 | head -c "$i" >"$1/size-$i"
    done
    yes 'text that compresses well' | head -c 1200000 >"$1/deep/er/text"
    for i in {1..40}; do echo "file $i" >"$1/deep/f$i"; done
    echo x >"$1/with space/back\\slash"
    echo x >"$1/-dash"
    echo x >"$1/"$'new\nline'
    echo x >"$1/"$'bytes-\xff\xfe'
    echo x >"$1/$(printf 'n%.0s' {1..253})"
}

# Digests of a tree, names from there on.
sums() { # DIR
    (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --)
}

count() { # DIR
    find "$1" -type f -printf 'x\n' | wc -l
}

# The same of what a program decompresses, suffixes taken off.
unpacked() { # DIR SUFFIX PROGRAM...
    local directory=$1 suffix=$2 name
    shift 2
    rm -rf plain
    (cd "$directory" && find . -type d -print0) | (mkdir plain && cd plain && xargs -0 mkdir -p --)
    while IFS= read -r -d '' name; do
        "$@" <"$directory/$name" >"plain/${name%"$suffix"}"
    done < <(cd "$directory" && find . -type f -name "*$suffix" -print0)
    sums plain
}

make_tree tree
long=tree/$(printf 'n%.0s' {1..253})

# A name can be too long for its suffix: that is said, and the others are made.
expect_status 3 "$TREEMILL" compress -q -r -o o tree
check "a name that has no room for .gz" ends 3 "$long: create: File name too long"
rm -r o "$long"

# Everything, by every reader.
sums tree >want
for format in gzip:.gz zstd:.zst; do
    suffix=${format#*:}
    format=${format%:*}
    run "$TREEMILL" compress -q -r --format="$format" -o "out$suffix" tree
    check "all of them, $format" [ "$status$(cat err)" = 0 ]
    case $format in
    gzip) readers=("gzip -dc" "pigz -dc" "igzip -dc" "libdeflate-gunzip -c") ;;
    zstd) readers=("zstd -dcq" "pzstd -dcq") ;;
    esac
    for reader in "${readers[@]}"; do
        has "${reader%% *}" || continue
        # shellcheck disable=SC2086  # a program and its options
        check "$reader" cmp -s want <(unpacked "out$suffix/tree" "$suffix" $reader)
    done
    run "$TREEMILL" test -q -r "out$suffix"
    check "test finds them whole, $format" [ "$status$(cat err)" = 0 ]
    run "$TREEMILL" decompress -q -r -o "back$suffix" "out$suffix/tree"
    check "decompress, $format" [ "$status$(cat err)" = 0 ]
    check "round trip, $format" cmp -s want <(sums "back$suffix/out$suffix/tree")
    for name in size-0 size-3200000 deep/er/text; do
        check "the time of $name" [ "$(stat -c '%y %a' "tree/$name")" = \
            "$(stat -c '%y %a' "back$suffix/out$suffix/tree/$name")" ]
    done
done

# Levels and engines.
for options in -1 -9 --engine=isal --engine=zlib --engine=libdeflate --rsyncable \
    --single-member "--single-member --engine=zlib -9" "--single-member -1"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" compress -qrf -o o $options tree
    check "gzip $options" [ "$status$(cat err)" = 0 ]
    check "gzip reads $options" cmp -s want <(unpacked o/tree .gz gzip -dc)
    rm -rf back
    run "$TREEMILL" decompress -qr -o back o/tree
    check "decompress $options" cmp -s want <(sums back/o/tree)
    rm -r o
done
for options in -1 -3 --long=21 --rsyncable; do
    run "$TREEMILL" compress -qrf -o o --format=zstd "$options" tree
    check "zstd $options" [ "$status$(cat err)" = 0 ]
    check "zstd reads $options" cmp -s want <(unpacked o/tree .zst zstd -dcq)
    run "$TREEMILL" test -qr o
    check "test $options" [ "$status$(cat err)" = 0 ]
    rm -r o
done
expect_status 0 "$TREEMILL" compress -q -12 tree/size-1048577
check "gzip -12" cmp -s tree/size-1048577 <(gzip -dc tree/size-1048577.gz)
expect_status 0 "$TREEMILL" compress -q --format=zstd -19 tree/size-1048577
check "zstd -19" cmp -s tree/size-1048577 <(zstd -dcq tree/size-1048577.zst)
rm tree/size-1048577.*
expect_status 2 "$TREEMILL" compress -q -13 tree/size-1
expect_status 2 "$TREEMILL" compress -q --engine=zstd tree/size-1
expect_status 2 "$TREEMILL" compress -q --format=xz tree/size-1
check "nothing has appeared" [ ! -e tree/size-1.gz ]

# The same bytes by every model. (-r -o: small files by the workers, large ones by the sink.)
sums out.gz >want-gz
sums out.zst >want-zst
by_model() { # OPTION...
    rm -rf o
    run "$TREEMILL" compress -qr -o o "$@" tree
    check "compress $*" [ "$status$(cat err)" = 0 ]
    check "the bytes of compress $*" cmp -s want-gz <(sums o)
}
for model in "${stage_models[@]}"; do
    by_model --read="$model" --compress="$model" --write="$model"
    by_model --write="$model"
    by_model --compress="$model" -T 3
done
compress=--compress=threads:2
! with_processes || compress=--compress=processes:2
# shellcheck disable=SC2086  # options are words
by_model $model_processes $compress --manifest=manifest
check "the manifest" sha256sum --status -c manifest
check "it names every file" [ "$(wc -l <manifest)" -eq "$(count tree)" ]
rm -rf o
run "$TREEMILL" compress -qr --format=zstd -o o --read=threads:2 --compress=threads:5 --write=inline tree
check "zstd by five" cmp -s want-zst <(sums o)
rm -rf o manifest

# Beside the input; what it inherits.
mkdir beside
cp tree/size-3200000 beside/large
echo small >beside/small
chmod 640 beside/large
chmod 4711 beside/small
touch -d '2001-02-03 04:05:06.123456789' beside/large
touch -d '2031-02-03 04:05:06.987654321' beside/small
[ "$(id -u)" -ne 0 ] || chown 1234:4321 beside/large
attributes=
if has setfattr && has setfacl && setfattr -n user.tm -v value beside/large 2>err &&
    setfacl -m u:1234:r beside/large 2>err; then
    attributes=yes
    setfattr -n user.tm -v other beside/small
else
    left_out "extended attributes: this file system has none"
fi
expect_status 0 "$TREEMILL" compress -q beside/large beside/small
describe() { stat -c '%a %u:%g %y' "$1"; }
for name in large small; do
    check "what $name.gz inherits" [ "$(describe "beside/$name")" = "$(describe "beside/$name.gz")" ]
    [ -z "$attributes" ] || check "attributes of $name.gz" cmp -s \
        <(cd beside && getfattr -d "$name" | sed 1d && getfacl -nc "$name") \
        <(cd beside && getfattr -d "$name.gz" | sed 1d && getfacl -nc "$name.gz")
    mv "beside/$name" "beside/$name.was"
done
expect_status 0 "$TREEMILL" decompress -q beside/large.gz beside/small.gz
for name in large small; do
    check "and $name again" [ "$(describe "beside/$name")" = "$(describe "beside/$name.was")" ]
    check "the bytes of $name" cmp -s "beside/$name" "beside/$name.was"
    [ -z "$attributes" ] || check "attributes of $name" cmp -s \
        <(cd beside && getfattr -d "$name" | sed 1d && getfacl -nc "$name") \
        <(cd beside && getfattr -d "$name.was" | sed 1d && getfacl -nc "$name.was")
done

# In the way.
for name in large small; do
    cp "beside/$name.gz" was
    run "$TREEMILL" compress -q "beside/$name"
    check "$name.gz exists" \
        ends 3 "beside/$name: create: beside/$name.gz exists already; --force replaces it"
    run "$TREEMILL" decompress -q "beside/$name.gz"
    check "$name exists" \
        ends 3 "beside/$name.gz: create: beside/$name exists already; --force replaces it"
    check "it is still what it was" cmp -s was "beside/$name.gz"
    echo something else >"beside/$name.gz"
    expect_status 0 "$TREEMILL" compress -qf "beside/$name"
    check "-f" cmp -s was "beside/$name.gz"
done
run "$TREEMILL" compress -q tree
check "a directory needs -r" \
    ends 3 'tree: read: is a directory; --recursive takes the files below it'
run "$TREEMILL" compress -q nowhere tree/size-1
check "a missing one" ends 3 'nowhere: stat: No such file or directory'
check "the other one" [ -e tree/size-1.gz ]
rm tree/size-1.gz
run "$TREEMILL" compress -q -o beside/small tree/size-1
check "-o is no directory" ends 2 'beside/small: create: Not a directory'
run "$TREEMILL" compress -q --suffix=a/b tree/size-1
check "a suffix with a slash" ends 2 '--suffix: .*'
expect_status 0 "$TREEMILL" compress -q --suffix=.packed tree/size-1
check "--suffix" cmp -s tree/size-1 <(gzip -dc <tree/size-1.packed)
rm tree/size-1.packed

# Compressed already: named, it is a skip; below a directory nothing is said of it.
mkdir -p ready
gzip -c tree/size-4095 >ready/a
gzip -c tree/size-3200000 >ready/b
zstd -qc tree/size-4095 >ready/c
echo plain >ready/d
run "$TREEMILL" compress -q ready/a
check "compressed already" ends 3 'ready/a: skipped: compressed already'
run "$TREEMILL" compress -q ready/b
check "compressed already, large" ends 3 'ready/b: skipped: compressed already'
run "$TREEMILL" compress -qr ready
check "below a directory" [ "$status$(cat err)" = 0 ]
check "only the plain one" [ "$(cd ready && echo ./*)" = './a ./b ./c ./d ./d.gz' ]
run "$TREEMILL" compress -qr ready
check "a second time" \
    ends 3 'ready/d: create: ready/d.gz exists already; --force replaces it'
expect_status 0 "$TREEMILL" compress -qf ready/a
check "-f compresses it again" cmp -s ready/a <(gzip -dc ready/a.gz)

# Symbolic links: followed if named, else left alone.
mkdir links
ln -s ../tree/size-4095 links/link
ln -s nowhere links/dangling
echo x >links/file
run "$TREEMILL" compress -qr links
check "links below a directory" [ "$status$(cat err)$(cd links && echo ./*)" = \
    '0./dangling ./file ./file.gz ./link' ]
expect_status 0 "$TREEMILL" compress -q links/link
check "a link that is named" cmp -s tree/size-4095 <(gzip -dc links/link.gz)
check "makes a file" [ ! -L links/link.gz ]
run "$TREEMILL" compress -q links/dangling
check "a dangling one" ends 3 'links/dangling: stat: No such file or directory'
mkfifo links/fifo
run "$TREEMILL" compress -q links/fifo
check "a FIFO" ends 3 'links/fifo: skipped: not a regular file'
rm links/link.gz
run "$TREEMILL" compress -q --remove-source links/link
check "a link is told of" ends 3 'links/link: remove: kept: it is a symbolic link'
check "the file of a link is not removed" cmp -s links/link <(gzip -dc links/link.gz)

# Unreadable: somebody else, if root may read everything.
user=("$TREEMILL")
if [ "$(id -u)" -eq 0 ]; then
    install -m 755 "$TREEMILL" program
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program")
fi
mkdir open shut
chmod 1777 open
echo a >open/a
head -c 3000000 /dev/zero >open/b
echo c >shut/c
chmod 000 open/a open/b
chmod 644 shut/c
run "${user[@]}" compress -q open/a open/b
check "unreadable" [ "$status $(LC_ALL=C sort err)" = "3 treemill: open/a: open: Permission denied
treemill: open/b: open: Permission denied" ]
check "nothing of it" [ "$(find open | wc -l)" -eq 3 ]
chmod 555 shut
run "${user[@]}" compress -q --remove-source shut/c
check "no right to write there" ends 3 'shut/c: create: Permission denied'
check "it is still there" [ "$(cat shut/c)" = c ]

# --remove-source.
rm -rf gone
cp -r tree gone
expect_status 0 "$TREEMILL" compress -qr --remove-source gone
check "all are replaced" [ "$(find gone -type f ! -name '*.gz' | wc -l)" -eq 0 ]
check "by what they were" cmp -s want <(unpacked gone .gz gzip -dc)
cp -r gone gone.gz
expect_status 0 "$TREEMILL" decompress -qr --remove-source gone
check "and back" cmp -s want <(sums gone)
expect_status 0 "$TREEMILL" compress -qr -k gone
check "-k keeps" [ "$(count gone)" -eq $((2 * $(count tree))) ]
run "$TREEMILL" compress -q --remove-source gone/size-1 gone/size-3200000
check "exists already: the source stays" cmp -s tree/size-3200000 gone/size-3200000
check "exists already: the small source stays" cmp -s tree/size-1 gone/size-1
for name in size-4095 size-3200000; do
    run "$TREEMILL" compress -qf --remove-source --suffix=/full gone/$name
    check "the source of no output stays" [ -e gone/$name ]
done
run "$TREEMILL" compress -q --remove-source --single-member gone/size-1
check "what cannot be checked" ends 2 '--remove-source .*'
run "$TREEMILL" compress -q --remove-source -c gone/size-1
check "standard output" ends 2 'standard output .*'
# A source that another program writes to meanwhile stays, whatever its output became.
head -c 40000000 /dev/zero >grows
touch run
while [ -e run ]; do echo more >>grows; done &
run "$TREEMILL" compress -q -1 --remove-source grows
rm run && wait
check "a changed source stays" [ "$status$(echo grow*)" = "3grows grows.gz" ]
rm -f grows grows.gz

# --only-smaller.
mkdir smaller
head -c 3000 /dev/urandom >smaller/random
head -c 3000000 /dev/urandom >smaller/large
head -c 3000000 /dev/zero >smaller/zeros
: >smaller/empty
echo x >smaller/x
run "$TREEMILL" compress -qr --only-smaller smaller
check "only what becomes smaller" [ "$(cd smaller && echo ./*.gz) $status$(cat err)" = './zeros.gz 0' ]
run "$TREEMILL" compress -qr --only-smaller --remove-source -f smaller
check "and only that is removed" [ "$(cd smaller && echo ./*)" = './empty ./large ./random ./x ./zeros.gz' ]

# Large with holes.
truncate -s 300M sparse
echo end >>sparse
expect_status 0 "$TREEMILL" compress -q -1 sparse
check "holes" cmp -s sparse <(gzip -dc sparse.gz)
rm sparse
expect_status 0 "$TREEMILL" decompress -q sparse.gz
check "and back" [ "$(stat -c %s sparse) $(tail -c 4 sparse)" = "314572804 end" ]
rm sparse sparse.gz

# Standard input and output.
streamed() { # TEXT WANTED INPUT OPTION...
    status=0
    "$TREEMILL" compress -q "--format=$format" "${@:4}" <"$3" >out 2>err || status=$?
    check "$format, $1" [ "$status$(cat err)" = 0 ]
    check "$format, $1: bytes" cmp -s "$2" <("$format" -dcq <out)
}
cat tree/size-1 tree/size-3200000 tree/-dash >both
for format in gzip zstd; do
    for name in size-0 size-1 size-1048576 size-2097152 size-3200000; do
        streamed "$name -c" "tree/$name" /dev/null -c "tree/$name"
        streamed "$name" "tree/$name" "tree/$name" -
        # shellcheck disable=SC2002  # it is to be a pipe
        cat "tree/$name" | "$TREEMILL" compress -q --format=$format - >piped 2>err
        check "$format, $name through a pipe" cmp -s piped out
    done
    streamed "several" both /dev/null -c tree/size-1 tree/size-3200000 tree/-dash
done
format=gzip
streamed "one member" tree/size-3200000 tree/size-3200000 --single-member -
cd tree || exit
run "$TREEMILL" compress -q -- -dash
check "a name with a dash" cmp -s ./-dash <(gzip -dc ./-dash.gz)
cd ..
for name in size-1 size-3200000; do
    status=0
    "$TREEMILL" compress -qc tree/$name >/dev/full 2>err || status=$?
    check "a full device, $name" ends 2 '.*: No space left on device'
done
status=0
"$TREEMILL" compress -qc tree/size-3200000 2>err | head -c 1000 >out
check "a reader that goes" [ "${PIPESTATUS[0]}" -eq 2 ]

check "no temporary file is left" [ -z "$(find . -name '.*treemill-*')" ]
# As gzip and zstd have it; what cannot be.
mkdir digits
seq 1 100 >digits/a
expect_status 0 "$TREEMILL" compress -9qk digits/a
expect_status 0 "$TREEMILL" compress -qf12T1 digits/a
expect_status 0 "$TREEMILL" compress -rqf9 digits
run "$TREEMILL" compress -qf99 digits/a
check "a level that is none" [ "$status" -eq 2 ]
run "$TREEMILL" compress -c --only-smaller digits/a
check "standard output has no way back" [ "$status$(wc -c <out)" = 20 ]
run "$TREEMILL" compress -q -o digits/a tree/size-1 tree/size-4095
check "a file is no output directory" ends 2 'digits/a: create: Not a directory'

finish
