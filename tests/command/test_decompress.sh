#!/usr/bin/env bash
# treemill decompress and test: files that others have made, files that are not whole, and the same
# bytes by every model.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

head -c 300 /dev/urandom >small
: >empty
seq 1 1000000 | head -c 6000000 >large
head -c 3000000 /dev/urandom >random
cat small large >both

# made NAME WANTED COMMAND...: what the command writes is decompressed to what is in WANTED
made() {
    local name=$1 wanted=$2
    shift 2
    "$@" >"x-$name" 2>err || fail "cannot make $name"
    run "$TREEMILL" decompress -qf "x-$name"
    check "$name" [ "$status$(cat err)" = 0 ]
    check "the bytes of $name" cmp -s "$wanted" "x-${name%.*}"
    run "$TREEMILL" test -q "x-$name"
    check "test of $name" [ "$status$(cat err)" = 0 ]
    "$TREEMILL" decompress -q - <"x-$name" >piped 2>err || fail "$name from standard input"
    check "$name from standard input" cmp -s "$wanted" piped
    rm "x-${name%.*}"
}
members() { "$@" <small && "$@" <large; }

for file in small empty large random; do
    made gzip-$file.gz $file gzip -nc $file
    made zstd-$file.zst $file zstd -qc $file
done
made gzip-1.gz large gzip -1c large
made gzip-9.gz large gzip -9c large
made gzip-name.gz large gzip -Nc large
made members.gz both members gzip -c
padded() { gzip -c large && head -c 1000000 /dev/zero; }
made padded.gz large padded
padded_between() { gzip -c small && head -c 512 /dev/zero && gzip -c large && head -c 9 /dev/zero; }
made padded-between.gz both padded_between
many() {
    local i
    for i in {1..300}; do echo "$i" | gzip -c; done
}
seq 1 300 >numbers
made many.gz numbers many
if has pigz; then
    made pigz.gz large pigz -c large
    made pigz-i.gz large pigz -ic large
    made pigz-p.gz large pigz -p 3 -b 128 -c large
    made pigz-members.gz both members pigz -c
fi
! has igzip || made igzip.gz large igzip -c large
! has libdeflate-gzip || made libdeflate.gz large libdeflate-gzip -c large
if has bgzip; then
    made bgzip.gz large bgzip -c large
    made bgzip-empty.gz empty bgzip -c empty
    made bgzip-members.gz both members bgzip -c
    bgzip_and_gzip() { bgzip -c small && gzip -c large; }
    made bgzip-then-gzip.gz both bgzip_and_gzip
    gzip_and_bgzip() { gzip -c small && bgzip -c large; }
    made gzip-then-bgzip.gz both gzip_and_bgzip
fi
ours() { "$TREEMILL" compress -qc small && "$TREEMILL" compress -qc large && gzip -c large; }
cat both large >three
made ours-and-gzip.gz three ours
made zstd-1.zst large zstd -q -1 -c large
made zstd-T2.zst large zstd -q -T2 -c large
made zstd-long.zst large zstd -q --long=27 -c large
made zstd-no-check.zst large zstd -q --no-check -c large
unsized() { zstd -qc <both; }
made zstd-no-size.zst both unsized
made frames.zst both members zstd -qc
skip_frame() { printf '\x50\x2a\x4d\x18\x04\x00\x00\x00skip'; }
skippable() { skip_frame && zstd -qc "$1" && skip_frame && printf '\x5f\x2a\x4d\x18\x00\x00\x00\x00'; }
made skippable.zst large skippable large
made skippable-small.zst small skippable small
made skippable-only.zst empty skip_frame
if has pzstd; then
    made pzstd.zst large pzstd -q -p 2 -c large
    made pzstd-members.zst both members pzstd -q -c
fi
ours_zstd() { "$TREEMILL" compress --format=zstd -qc small && "$TREEMILL" compress --format=zstd -qc large; }
made ours-twice.zst both ours_zstd
# Its window is larger than what zstd itself allows without being asked.
zstd -q --long=28 <large >wide.zst
run "$TREEMILL" decompress -q wide.zst
check "a window of 256 MiB" ends 3 'wide.zst: decompress: .+'
rm -f x-* wide*

# Names.
gzip -c small >a.tgz
zstd -qc small >b.tzst
gzip -c small >c.unknown
gzip -c small >.gz
run "$TREEMILL" decompress -q a.tgz b.tzst
check "archives" [ "$status$(cmp a.tar small && cmp b.tar small)" = 0 ]
run "$TREEMILL" decompress -q c.unknown
check "an unknown suffix" ends 3 'c.unknown: skipped: the name does not end in .*'
run "$TREEMILL" decompress -q .gz
check "nothing but a suffix" ends 3 '.gz: skipped: the name does not end in .*'
run "$TREEMILL" test -q c.unknown .gz
check "test needs no suffix" [ "$status$(cat err)" = 0 ]
run "$TREEMILL" decompress -qc c.unknown
check "nor does -c" [ "$status$(cmp out small)" = 0 ]
run "$TREEMILL" decompress -q small
check "a plain file" ends 3 'small: skipped: the name does not end in .*'
cp small plain.gz
cp empty empty.gz
run "$TREEMILL" decompress -q plain.gz
check "not compressed" ends 1 'plain.gz: decompress: neither gzip nor zstd'
run "$TREEMILL" test -q small
check "test of a plain file" ends 1 'small: test: neither compressed nor an archive, .*'
run "$TREEMILL" test -q empty.gz
check "test of nothing" ends 1 'empty.gz: test: neither compressed nor an archive, .*'
mkdir -p below/deep
cp small below/plain
gzip -c small >below/deep/x.gz
cp empty below/nothing
run "$TREEMILL" decompress -qr below
check "below a directory" [ "$status$(cat err)" = 0 ]
check "plain files are passed over" [ "$(cd below && echo ./* deep/*)" = \
    './deep ./nothing ./plain deep/x deep/x.gz' ]
run "$TREEMILL" test -qr below
check "test below a directory" [ "$status$(cat err)" = 0 ]
cp small below/wrong.gz
run "$TREEMILL" test -qr below
check "one of them is wrong" ends 1 'below/wrong.gz: test: neither compressed nor an archive, .*'
# A pipe that gives a little at a time.
gzip -c small >small.gz
zstd -qc small >small.zst
for name in small.gz small.zst; do
    (for i in 1 2 3 4 5 6; do
        tail -c +"$i" $name | head -c 1
        sleep 0.05
    done && tail -c +7 $name) | "$TREEMILL" decompress -q - >piped 2>err
    check "bytes one by one, $name" cmp -s piped small
done

# Not whole, not right: status 1, nothing appears, the source stays.
mkdir whole
gzip -c large >whole/gzip.gz
zstd -qc large >whole/zstd.zst
zstd -q -19 -c small >whole/zstd-small.zst
gzip -c small >whole/gzip-small.gz
"$TREEMILL" compress -qc large >whole/ours.gz
"$TREEMILL" compress -qc --format=zstd large >whole/ours.zst
"$TREEMILL" compress -qc --single-member large >whole/ours-single.gz
! has bgzip || bgzip -c large >whole/bgzip.gz
! has pzstd || pzstd -q -c -p 2 large >whole/pzstd.zst
wrong() { # TEXT
    local before
    before=$(sha256sum "$name")
    run "$TREEMILL" decompress -q --remove-source "$name"
    check "$1" [ "$status $(wc -l <err)" = "1 1" ]
    check "$1: one line" grep -Eq "^treemill: $name: decompress: (corrupt data|unexpected end of file|neither .*)\$" err
    check "$1: nothing appears, and it stays" [ "$(echo "${name%.*}"*) $(sha256sum "$name")" = "$name $before" ]
    status=0
    "$TREEMILL" test -q - <"$name" >piped 2>err || status=$?
    check "test of it as standard input: $1" [ "$status" -eq 1 ]
}
for path in whole/*; do
    name=${path##*/}
    bytes=$(stat -c %s "$path")
    for place in 1 3 9 $((bytes / 2)) $((bytes - 1)); do
        # Without its last bytes a seek table is none, and is not needed.
        [[ $name == ours.zst && $place -eq $((bytes - 1)) ]] && continue
        head -c "$place" "$path" >"$name"
        wrong "$name, $place bytes of it"
    done
    for place in 0 $((bytes / 2)) $((bytes - 7)); do
        [[ $name == ours.zst && $place -eq $((bytes - 7)) ]] && continue
        cp "$path" "$name"
        printf '%b' "\\x$(printf %02x $((0x$(xxd -s "$place" -l 1 -p "$path") ^ 16)))" |
            dd of="$name" bs=1 seek="$place" conv=notrunc status=none
        wrong "$name, byte $place is another"
    done
    rm -f "$name"
done

# Garbage behind it is ignored, and the source stays.
for format in gzip ours bgzip; do
    path=whole/$format.gz
    [ -e "$path" ] || continue
    { cat "$path" && echo garbage; } >trailing.gz
    run "$TREEMILL" decompress -q --remove-source trailing.gz
    check "garbage behind $format" cmp -s err - <<<$'treemill: trailing.gz: trailing garbage ignored
treemill: trailing.gz: remove: kept: not all of it is in the output'
    check "garbage behind $format: status 3" [ "$status" -eq 3 ]
    check "the bytes before it" cmp -s trailing large
    check "the source stays" [ -e trailing.gz ]
    run "$TREEMILL" test -q trailing.gz
    check "test: garbage behind $format" ends 3 'trailing.gz: trailing garbage ignored'
    rm -f trailing trailing.gz
done

# By every model.
mkdir -p tree/sub
for path in whole/*; do cp "$path" "tree/${path##*.}-${path##*/}"; done
for i in {1..60}; do echo "$i" | gzip -c >"tree/sub/f$i.gz"; done
by_model() { # OPTION...
    rm -rf o
    run "$TREEMILL" decompress -qr -o o "$@" tree
    check "decompress $*" [ "$status$(cat err)" = 0 ]
    check "the bytes of decompress $*" cmp -s want <(reference o)
}
rm -rf o
"$TREEMILL" decompress -q -r -o o -T 1 tree
# (Each name is there once but for the suffix.)
reference o >want
check "each is what it should be" [ "$(cut -c -64 want | sort -u | wc -l)" -eq 62 ]
for model in "${stage_models[@]}"; do
    by_model --read="$model" --compress="$model" --write="$model"
    by_model --compress="$model"
    run "$TREEMILL" test -qr --read="$model" --compress="$model" tree
    check "test by $model" [ "$status$(cat err)" = 0 ]
    run "$TREEMILL" decompress -qc --compress="$model" whole/ours.gz whole/gzip-small.gz
    check "to standard output by $model" cmp -s out <(cat large small)
done
status=0
"$TREEMILL" decompress -qc whole/ours.gz >/dev/full 2>err || status=$?
check "a full device" ends 2 '.*: No space left on device'
status=0
"$TREEMILL" decompress -qc whole/gzip.gz >/dev/full 2>err || status=$?
check "a full device, as a whole" ends 2 '.*: No space left on device'

check "no temporary file is left" [ -z "$(find . -name '.*treemill-*')" ]
finish
