#!/usr/bin/env bash
# treemill create: what other programs read out of the archives, and what happens when something is
# in the way.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

# All kinds of entries, odd names, sizes around blocks.
make_tree() {
    local i
    mkdir -p tree/empty tree/deep/er/est "tree/with space" tree/many
    for i in 0 1 511 512 513 65535 65536 1048575 1048576 1048577 5000000; do
        head -c "$i" /dev/urandom >"tree/size-$i"
    done
    yes 'text that compresses well' | head -c 3000000 >tree/deep/text
    for i in $(seq 1 300); do echo "file $i" >"tree/many/f$i"; done
    ln tree/deep/text tree/hard
    ln -s deep/text tree/soft
    ln -s /nowhere/at/all tree/dangling
    mkfifo tree/fifo
    printf 'x' >"tree/with space/back\\slash"
    printf 'x' >"tree/-dash"
    printf 'x' >$'tree/new\nline'
    printf 'x' >$'tree/bytes-\xff\xfe'
    printf 'x' >"tree/$(printf 'n%.0s' {1..200})"
    mkdir -p "tree/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})"
    printf 'x' >"tree/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})/file"
    chmod 640 tree/size-1
    chmod 755 tree/size-512
    chmod 1777 tree/empty
    touch -d '2001-02-03 04:05:06' tree/size-513 tree/deep
}

# What is below a directory: kinds, modes, owners, times, links, sizes.
describe() { # DIR
    (cd "$1" && find . -printf '%P %y %m %U:%G %T@ %s %l\n' |
        sed -E 's/(\.[0-9]+) /  /; s/^( d [0-9]+ [^ ]+ [0-9]+) +[0-9]+/\1/' | sed -E '/ d /s/ [0-9]+ $//' | LC_ALL=C sort)
}

same_trees() { # TEXT: tree and extracted/tree
    describe tree >want
    describe extracted/tree >got
    check "$1: entries" cmp -s want got
    check "$1: contents" cmp -s <(reference tree) <(cd extracted && reference tree)
    check "$1: the hard link is one" [ extracted/tree/hard -ef extracted/tree/deep/text ]
}

extract() { # PROGRAM ARCHIVE
    rm -rf extracted
    mkdir extracted
    case $1 in
    tar) tar --same-owner -xpf "$2" -C extracted ;;
    bsdtar) bsdtar -xpf "$2" -C extracted ;;
    esac
}

make_tree
for suffix in tar tar.gz tgz tar.zst; do
    expect_status 0 "$TREEMILL" create -q "a.$suffix" tree
    for program in tar bsdtar; do
        has "$program" || continue
        check "$program reads $suffix" extract "$program" "a.$suffix"
        same_trees "$program, $suffix"
    done
    check "$suffix: GNU tar finds no difference" tar -df "a.$suffix"
done
check "tar ends as GNU tar does" [ $(($(stat -c %s a.tar) % 10240)) -eq 0 ]
for program in gzip pigz; do
    ! has "$program" || check "$program -t" "$program" -t a.tar.gz
done
! has igzip || check "igzip reads it" cmp -s a.tar <(igzip -d -c a.tar.gz)
! has libdeflate-gunzip || check "libdeflate reads it" cmp -s a.tar <(libdeflate-gunzip -c a.tar.gz)
check "gzip reads the same tar" cmp -s a.tar <(gzip -dc a.tar.gz)
check "zstd reads the same tar" cmp -s a.tar <(zstd -dc a.tar.zst)

# The bytes do not depend on how stages run.
for model in "${models[@]}"; do
    model+=$(sed -n 's/.*--hash=\([^ ]*\).*/ --compress=\1/p' <<<"$model")
    for suffix in tar tar.gz tar.zst; do
        # shellcheck disable=SC2086  # options are words
        expect_status 0 "$TREEMILL" create -qf $model "b.$suffix" tree
        check "$suffix $model" cmp -s "a.$suffix" "b.$suffix"
    done
done
for model in "${stage_models[@]}"; do
    expect_status 0 "$TREEMILL" create -qf --compress="$model" b.tar.gz tree
    check "compress=$model" cmp -s a.tar.gz b.tar.gz
    expect_status 0 "$TREEMILL" create -qf --read=threads:3 --compress="$model" --manifest=m b.tar.gz tree
    check "compress=$model with a manifest" cmp -s a.tar.gz b.tar.gz
    check "the manifest of compress=$model" cmp -s m <(
        "$TREEMILL" hash -q tree 2>/dev/null
    )
    rm -f m
done
expect_status 0 "$TREEMILL" create -qf --memory=24M b.tar.gz tree
check "little memory" cmp -s a.tar.gz b.tar.gz

# Levels and engines: what comes out is the same tar.
for options in -1 -2 -6 -9 -12 --engine=isal --engine=zlib --engine=libdeflate --rsyncable \
    --single-member "--single-member -1" "--single-member --engine=zlib" "--rsyncable --single-member"; do
    # shellcheck disable=SC2086  # options are words
    expect_status 0 "$TREEMILL" create -qf $options b.tar.gz tree
    check "gzip $options" cmp -s a.tar <(gzip -dc b.tar.gz)
done
for options in -1 -3 -10 -19 --long=22 --rsyncable; do
    expect_status 0 "$TREEMILL" create -qf "$options" b.tar.zst tree
    check "zstd $options" cmp -s a.tar <(zstd -dc b.tar.zst)
done
expect_status 2 "$TREEMILL" create -q -19 c.tar.gz tree
expect_status 2 "$TREEMILL" create -q --engine=zstd c.tar.gz tree
expect_status 2 "$TREEMILL" create -q c.unknown tree
check "nothing has appeared" [ ! -e c.tar.gz ]

# Standard output.
status=0
"$TREEMILL" create -q --format=tar.gz - tree >out 2>err || status=$?
check "to standard output" cmp -s out a.tar.gz
status=0
"$TREEMILL" create -q --format=tar - tree 2>err | head -c 1000 >out
check "a reader that goes is an error" [ "${PIPESTATUS[0]}" -eq 2 ]
expect_status 2 "$TREEMILL" create -q --format=tar /dev/full tree
check "a full device is named" ends 2 '/dev/full: write: No space left on device'

# Paths as they are stored.
expect_status 0 "$TREEMILL" create -q abs.tar "$work/tree/many/f1" ./tree/many/f2 tree/../tree/many/f3
check "no leading slash, nothing above" cmp -s <(tar -tf abs.tar 2>err) - <<END
${work#/}/tree/many/f1
./tree/many/f2
tree/many/f3
END

# In the way.
expect_status 2 "$TREEMILL" create -q a.tar tree
check "an archive is not replaced unasked" ends 2 'a.tar: create: exists already; --force replaces it'
cp a.tar tree/inside.tar
expect_status 0 "$TREEMILL" create -qf tree/inside.tar tree
check "it does not hold itself" [ "$(tar -tf tree/inside.tar | grep -c inside)" -eq 0 ]
check "and that is said" grep -q 'tree/inside.tar: left out' err
rm tree/inside.tar
expect_status 3 "$TREEMILL" create -q missing.tar tree no-such-file
check "what is missing is named" ends 3 'no-such-file: stat: No such file or directory'
check "the rest is there" [ "$(tar -tf missing.tar | wc -l)" -eq "$(tar -tf a.tar | wc -l)" ]
if [ "$(id -u)" -ne 0 ]; then
    chmod 000 tree/size-511
    expect_status 3 "$TREEMILL" create -qf unreadable.tar tree
    chmod 644 tree/size-511
    check "unreadable: left out" [ "$(tar -tf unreadable.tar | grep -c size-511)" -eq 0 ]
fi
expect_status 2 "$TREEMILL" create -q no/such/directory.tar tree
expect_status 2 "$TREEMILL" create -q a.tar
(python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("tree/socket")' 2>/dev/null)
if [ -S tree/socket ]; then
    expect_status 3 "$TREEMILL" create -qf socket.tar tree
    check "a socket is skipped" ends 3 'tree/socket: skipped: not a regular file'
    rm tree/socket
fi

# Reproducible: another owner, other times, the same bytes.
cp -r tree/many again
expect_status 0 env SOURCE_DATE_EPOCH=1000000000 "$TREEMILL" create -q --reproducible r1.tar.gz again
find again -exec touch -h -d '2020-01-01' {} +
chmod -R g+w again
[ "$(id -u)" -ne 0 ] || chown -R 1234:1234 again
expect_status 0 env SOURCE_DATE_EPOCH=1000000000 "$TREEMILL" create -q --reproducible r2.tar.gz again
check "reproducible" cmp -s r1.tar.gz r2.tar.gz

# Extended attributes and ACLs.
if has setfattr && has setfacl && setfattr -n user.tm -v value tree/size-1 2>/dev/null; then
    setfacl -m u:1234:r tree/size-512
    setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" tree/deep
    expect_status 0 "$TREEMILL" create -q --xattrs x.tar.zst tree
    mkdir -p x
    check "tar takes attributes" tar --xattrs --acls -xpf x.tar.zst -C x
    check "user attributes" [ "$(getfattr --only-values -n user.tm x/tree/size-1)" = value ]
    check "of directories" cmp -s <(getfattr -d tree/deep) <(cd x && getfattr -d tree/deep)
    check "ACLs" cmp -s <(getfacl -n tree/size-512) <(cd x && getfacl -n tree/size-512)
    # shellcheck disable=SC2086  # options are words
    expect_status 0 "$TREEMILL" create -qf $model_inline --compress=inline --xattrs y.tar.zst tree
    check "the same by another model" cmp -s x.tar.zst y.tar.zst
else
    left_out "extended attributes: this file system has none"
fi

# Selection, and the list of a dry run.
expect_status 0 "$TREEMILL" create -q --exclude='f1*' --exclude-vcs s.tar tree/many
check "exclude" [ "$(tar -tf s.tar | grep -c /f1)" -eq 0 ]
expect_status 0 "$TREEMILL" create -q -n s.tar.gz tree
check "dry run lists the members" cmp -s out <(tar -tf a.tar --quoting-style=literal | sed 's|/$||')
check "and makes nothing" [ ! -e s.tar.gz ]

# Standard input is no member; a file of that name is.
mkdir named
echo dash >named/-
for format in tar tar.gz zip; do
    run "$TREEMILL" create -q -C named "$PWD/dash.$format" - <err
    check "no member of $format" ends 2 'standard input cannot be a member; a file of that name is \./-'
    check "no archive $format" [ ! -e dash.$format ]
done
run "$TREEMILL" create -q -C named dash.tar ./-
check "./- is a file" [ "$status$(tar -xOf dash.tar)" = 0dash ]

# What a format has no word for is said of that file, and the others are taken.
mkdir kinds
mkfifo kinds/fifo
echo file >kinds/file
run "$TREEMILL" create -q kinds.zip kinds
check "a FIFO in a zip" ends 3 "kinds/fifo: write: the output's format has no such kind of file"
check "the file beside it" [ "$(unzip -p kinds.zip kinds/file)" = file ]

finish
