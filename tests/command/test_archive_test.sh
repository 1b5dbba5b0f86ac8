#!/usr/bin/env bash
# treemill test of archives: those of many makers, the same with a bit that is another or an end
# that is missing, many at once by every model, and what a parser that is killed costs.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has bsdtar || skip "bsdtar is not installed to make archives"

mkdir -p t/sub t/deep/er
seq 1 100000 >t/sub/numbers
head -c 3000000 /dev/urandom >t/large
head -c 5000 /dev/urandom >t/small
: >t/empty
for i in {1..40}; do seq 1 "$i" >"t/deep/er/f$i"; done
ln -s sub/numbers t/link
ln t/small t/second
truncate -s 10M t/sparse
printf end >>t/sparse

mkdir whole
tar -cf whole/gnu.tar t
tar -Scf whole/sparse.tar t
tar --format=posix -cf whole/pax.tar t
tar --format=v7 -cf whole/v7.tar t
tar -czf whole/gnu.tar.gz t
tar -czf whole/gnu.tgz t
tar -c t | zstd -q >whole/gnu.tar.zst
tar -cJf whole/gnu.tar.xz t
tar -cjf whole/gnu.tar.bz2 t
"$TREEMILL" create -q whole/ours.tar t
"$TREEMILL" create -q whole/ours.tar.gz t
"$TREEMILL" create -q whole/ours.tar.zst t
"$TREEMILL" create -q whole/ours.zip t
bsdtar -cf whole/bsd.zip --format=zip t
bsdtar -cf whole/bsd.7z --format=7zip t
bsdtar -cf whole/bsd.cpio --format=newc t
bsdtar -cf whole/odc.cpio --format=odc t
bsdtar -cf whole/bsd.iso --format=iso9660 t
bsdtar -cf whole/bsd.xar --format=xar t
! has zip || zip -qry whole/info.zip t
xz -k -c t/sub/numbers >whole/numbers.xz
bzip2 -k -c t/sub/numbers >whole/numbers.bz2
gzip -c t/sub/numbers >whole/numbers.gz

flipped() { # FILE PLACE: another bit there
    printf '%b' "\\x$(printf %02x $((0x$(xxd -s "$2" -l 1 -p "$1") ^ 16)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Whole ones.
for path in whole/*; do
    run "$TREEMILL" test -q "$path"
    check "$path" [ "$status$(cat err)" = 0 ]
    run "$TREEMILL" test -q - <"$path"
    check "$path as standard input" [ "$status$(cat err)" = 0 ]
    status=0
    # shellcheck disable=SC2002  # a pipe is what is meant
    cat "$path" | "$TREEMILL" test -q - >out 2>err || status=$?
    case $path in
    *.7z) check "a 7z from a pipe" ends 1 '-: test: .*cannot be read from a pipe.*' ;;
    *) check "$path from a pipe" [ "$status$(cat err)" = 0 ] ;;
    esac
done
run "$TREEMILL" test -q whole/*
check "all at once" [ "$status$(cat err)" = 0 ]
count=$(find whole -type f | wc -l)
run "$TREEMILL" test whole/*
check "all are counted" grep -q "^treemill: tested $count files, " err

# By their content, whatever they are called; and by name, if they are nothing.
cp whole/bsd.7z unnamed
run "$TREEMILL" test -q unnamed
check "without a suffix" [ "$status$(cat err)" = 0 ]
mkdir -p below/deep
cp whole/ours.zip below/deep/z
cp whole/gnu.tar below/deep/x.tar
echo plain >below/plain
: >below/nothing
run "$TREEMILL" test -r below
check "below a directory, what is no archive is passed over" [ "$status" = 0 ]
check "and not counted" grep -q '^treemill: tested 2 files, ' err
for name in wrong.zip wrong.tar wrong.7z wrong.cpio wrong.tar.xz; do
    echo plain >"below/$name"
    run "$TREEMILL" test -qr below
    check "$name is none" ends 1 "below/$name: test: neither compressed nor an archive, .*"
    rm "below/$name"
done
run "$TREEMILL" test -q below/plain
check "a plain file that is named" ends 1 'below/plain: test: neither compressed nor an archive, .*'
run "$TREEMILL" test -q absent.zip
check "one that is not there" ends 3 'absent.zip: .*: No such file or directory'

# With a bit that is another: in the middle, where the data of the large member is.
for name in ours.zip bsd.zip bsd.7z gnu.tar.gz ours.tar.gz gnu.tar.zst ours.tar.zst gnu.tar.xz \
    gnu.tar.bz2 bsd.xar numbers.xz numbers.bz2; do
    bytes=$(stat -c %s "whole/$name")
    for place in $((bytes / 3)) $((bytes / 2)) $((bytes * 2 / 3)); do
        cp "whole/$name" "bad-$name"
        flipped "bad-$name" "$place"
        run "$TREEMILL" test -q "bad-$name"
        check "$name, byte $place is another" ends 1 "bad-$name: (test|decompress): .+"
    done
done
# What has no checksum of its data has one of its headers, or a form.
tar -cf lone.tar -C t small sub
header=$((512 + 5120)) # of the second member
for change in 0 130 150; do
    cp lone.tar bad.tar
    flipped bad.tar $((header + change))
    run "$TREEMILL" test -q bad.tar
    check "byte $change of a header" ends 1 "bad.tar: test: .* at byte $header of the tar"
    gzip -kf bad.tar
    "$TREEMILL" compress -qf --format=zstd --block-size=4K bad.tar
    for name in bad.tar.gz bad.tar.zst; do
        run "$TREEMILL" test -q $name
        check "byte $change of a header in $name" ends 1 "$name: test: .* at byte $header of the tar"
    done
    xz -kf bad.tar
    run "$TREEMILL" test -q bad.tar.xz
    check "byte $change of a header in bad.tar.xz" ends 1 "bad.tar.xz: test: .* at byte $header of the tar"
done
# Blocks that are decompressed in parallel: the tar within is taken together again.
tar -cf many.tar t/large t/deep
at=$(grep -abom1 'deep/er/f7' many.tar | cut -d: -f1)
flipped many.tar $((at + 1))
"$TREEMILL" compress -qf many.tar
"$TREEMILL" compress -qf --format=zstd many.tar
for model in "${stage_models[@]}"; do
    run "$TREEMILL" test -q --compress="$model" many.tar.gz
    check "a tar in blocks by $model" ends 1 'many.tar.gz: test: .* at byte [0-9]+ of the tar'
    run "$TREEMILL" test -q --compress="$model" many.tar.zst
    check "a tar in zstd's by $model" ends 1 'many.tar.zst: test: .* at byte [0-9]+ of the tar'
done
cp whole/bsd.cpio bad.cpio
flipped bad.cpio "$(($(grep -abo 070701 bad.cpio | sed -n 2p | cut -d: -f1) + 2))"
run "$TREEMILL" test -q bad.cpio
check "cpio" ends 1 'bad.cpio: test: .+'

# Cut short. A tar that is cut between members lacks nothing but its end.
for path in whole/*.{tar,zip,7z,cpio,tar.*,xz,tgz}; do
    head -c $(($(stat -c %s "$path") / 2)) "$path" >short
    run "$TREEMILL" test -q short
    check "half of $path" ends 1 'short: (test|decompress): .+'
done
head -c $((header + 1000)) lone.tar >short.tar
run "$TREEMILL" test -q short.tar
check "within a member" ends 1 "short.tar: test: the tar ends within .*"
head -c $header lone.tar >short.tar
run "$TREEMILL" test -q short.tar
check "without a mark of its end" ends 3 'short.tar: has no end-of-archive mark'
gzip -kf short.tar
run "$TREEMILL" test -q short.tar.gz
check "the same in gzip" ends 3 'short.tar.gz: has no end-of-archive mark'

# Members whose names lead elsewhere are read like all others; a zip's entries must not overlap.
tar -cPf up.tar --transform='s,^,../,' t/small
run "$TREEMILL" test -q up.tar
check "names are of no account" [ "$status$(cat err)" = 0 ]
if has python3; then
    python3 - <<'END'
import zipfile
with zipfile.ZipFile("up.zip", "w") as z:
    z.writestr("../up", b"x" * 1000)
data = bytearray(open("up.zip", "rb").read())
data[40] ^= 1
open("up-bad.zip", "wb").write(data)
END
    run "$TREEMILL" test -q up.zip
    check "nor in a zip" [ "$status$(cat err)" = 0 ]
    run "$TREEMILL" test -q up-bad.zip
    check "what is under them is read" ends 1 'up-bad.zip: test: \(unsafe name\): corrupt data'
fi

# Many at once, by every model: the same lines, in the order of the names.
mkdir many
for path in whole/*; do
    cp "$path" "many/a-${path##*/}"
    cp "$path" "many/b-${path##*/}"
done
for name in b-ours.zip b-bsd.7z b-gnu.tar.xz b-gnu.tar.gz b-ours.tar.zst a-numbers.xz; do
    flipped "many/$name" $(($(stat -c %s "many/$name") / 2))
done
head -c 1000000 many/b-gnu.tar >many/b-pax.tar
"$TREEMILL" test -qr --compress=inline many 2>want
check "what is bad is told of" [ "$(wc -l <want)" -eq 7 ]
for model in "${stage_models[@]}"; do
    run "$TREEMILL" test -qr --compress="$model" many
    check "test by $model" [ "$status" -eq 1 ]
    assert_same err want "lines of test by $model"
done
run "$TREEMILL" test -q --json -r many
check "events" [ "$(grep -c '"event":"error"' out)" -eq 7 ]
run "$TREEMILL" test -q --fail-fast --compress=inline many/*
check "the first ends it" ends 1 'many/a-numbers.xz: test: .+'


# A worker that is killed over an archive twice costs that one, and no other.
if with_processes && ! TREEMILL_CRASH=no-such-point "$TREEMILL" test -q lone.tar >out 2>err; then
    status=0
    TREEMILL_CRASH=work:1x2 timeout 60 "$TREEMILL" test -q --read=threads:1 \
        --compress=processes:1 whole/*.{zip,7z,tar,xar,cpio} >out 2>err || status=$?
    check "one archive is lost" ends 3 'whole/.*: decompress: worker killed by signal 9 .*'
fi

# Bombs: memory stays what it is, and the limits end them.
head -c 300000000 /dev/zero | xz -c >zeros.xz
xz -c zeros.xz >zeros.xz.xz
run "$TREEMILL" test -q zeros.xz.xz
check "300 MB of zeros" [ "$status$(cat err)" = 0 ]
run "$TREEMILL" test -q --max-total=100M zeros.xz.xz
check "--max-total" ends 1 'zeros.xz.xz: test: more comes out of it than is allowed'
for name in bsd.7z ours.zip gnu.tar gnu.tar.gz ours.tar.gz gnu.tar.xz numbers.gz; do
    run "$TREEMILL" test -q --max-total=100K "whole/$name"
    check "--max-total of $name" ends 1 "whole/$name: test: more comes out of it than is allowed"
done
for name in bsd.7z ours.zip gnu.tar gnu.tar.gz ours.tar.gz gnu.tar.xz bsd.cpio; do
    run "$TREEMILL" test -q --max-members=10 "whole/$name"
    check "--max-members of $name" ends 1 "whole/$name: test: more comes out of it than is allowed"
done
run "$TREEMILL" test -q --max-members=10 --max-total=10K whole/gnu.tar whole/numbers.gz
check "each by itself" [ "$status $(wc -l <err)" = "1 2" ]

# Zeros are a tar without members; but by another name they are what a crash has left.
head -c 20480 /dev/zero >zeros.tar
for name in zeros.gz zeros.tar.zst zeros.tgz zeros.zip zeros.7z; do
    cp zeros.tar $name
    run "$TREEMILL" test -q $name
    check "$name" ends 1 "$name: test: neither compressed nor an archive, .*"
done
for name in zeros.tar zeros; do
    [ -e $name ] || cp zeros.tar $name
    run "$TREEMILL" test -q $name
    check "$name is a tar" [ "$status$(cat err)" = 0 ]
done
cp whole/gnu.tar.gz lost.tar.gz
dd if=/dev/zero of=lost.tar.gz bs=1024 count=100 conv=notrunc status=none
mkdir backup
mv lost.tar.gz zeros.tgz backup
run "$TREEMILL" test -qr backup
check "lost below a directory" [ "$status $(grep -c 'nor an archive' err)" = "1 2" ]
run "$TREEMILL" extract -q -C lost backup/lost.tar.gz
check "and not extracted" ends 1 'backup/lost.tar.gz: read: no archive that is known'
# An image begins with zeros, too.
for program in gzip xz "zstd -q"; do
    $program -c <whole/bsd.iso >"image.${program%% *}"
    run "$TREEMILL" list "image.${program%% *}"
    check "an image behind ${program%% *}" grep -q 'sub/numbers$' out
done

finish
