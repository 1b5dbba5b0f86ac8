#!/usr/bin/env bash
# The index of members in compressed tars: other programs read the archives without a word, and one
# that knows nothing but README's description finds a member by it.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

make_tree() {
    local i
    mkdir -p tree/a/b tree/many
    for i in $(seq 1 1500); do
        printf '%s\n' "$i" "a name of some length for number $i" >"tree/many/file-of-a-long-name-$i"
    done
    yes "text $RANDOM" | head -c 300000 >tree/large
    cp tree/many/file-of-a-long-name-7 tree/a.c
    cp tree/many/file-of-a-long-name-8 tree/a/b/c
}

# INDEX ARCHIVE: the entries, a line each: offset, key. INDEX ARCHIVE KEY: the data of the member,
# without any byte of the archive before its block.
cat >index.py <<'EOF2'
import struct, subprocess, sys, zlib

archive = open(sys.argv[1], "rb").read()
is_gzip = archive[:2] == b"\x1f\x8b"

def subfields(header):
    at, end = 12, 12 + struct.unpack_from("<H", header, 10)[0]
    while at < end:
        size = struct.unpack_from("<H", header, at + 2)[0]
        yield header[at:at + 2], header[at + 4:at + 4 + size]
        at += 4 + size

def payload():
    if not is_gzip:
        frames = struct.unpack("<I", archive[-9:-5])[0]
        rows = archive[-9 - 8 * frames:-9]
        sizes = list(struct.iter_unpack("<II", rows))
        table = len(archive) - 9 - len(rows) - 8
        assert sum(size for size, _ in sizes) == table and sizes[-1][1] == 0
        start = table - sizes[-1][0]
        magic, size = struct.unpack_from("<II", archive, start)
        assert magic == 0x184D2A5A and start + 8 + size == table
        return start, archive[start + 8:table]
    last = archive[-46:]
    start = at = struct.unpack("<Q", dict(subfields(last))[b"TX"])[0]
    joined = b""
    while at < len(archive) - 46:
        fields = dict(subfields(archive[at:at + 65536]))
        joined += fields[b"TI"]
        at += struct.unpack_from("<I", fields[b"TM"])[0]
    return start, joined

def number():
    global rest
    value = shift = 0
    while True:
        byte, rest = rest[0], rest[1:]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value

start, rest = payload()
assert rest[:4] == b"TMI\1" and zlib.crc32(rest[:-4]) == struct.unpack("<I", rest[-4:])[0]
rest = rest[4:-4]
assert number() == start
entries, offset, key = [], 0, b""
while rest:
    offset += number()
    shared, more = number(), number()
    key, rest = key[:shared] + rest[:more], rest[more:]
    entries.append((offset, key))
assert entries == sorted(entries) and [k for _, k in entries] == sorted(k for _, k in entries)
if len(sys.argv) == 2:
    for offset, key in entries:
        sys.stdout.buffer.write(b"%d %s\n" % (offset, key))
    sys.exit()

wanted = sys.argv[2].encode()
begin = [offset for offset, key in entries if key <= wanted][-1]
end = ([offset for offset, key in entries if key > wanted] + [start])[0]
program = ["gzip", "-dc"] if is_gzip else ["zstd", "-dqc"]
tar = subprocess.run(program, input=archive[begin:end], stdout=subprocess.PIPE, check=True).stdout
subprocess.run(["tar", "-xOf", "-", "--occurrence=1", sys.argv[2]], input=tar, check=True)
EOF2

make_tree
for suffix in gz zst; do
    expect_status 0 "$TREEMILL" create -q --block-size=16K "a.tar.$suffix" tree
    expect_status 0 "$TREEMILL" create -q --format=tar.$suffix --block-size=16K - tree
    check "$suffix: the same in a pipe" cmp -s out "a.tar.$suffix"
    expect_status 0 "$TREEMILL" create -qf --block-size=16K -T 1 "b.tar.$suffix" tree
    check "$suffix: the same again" cmp -s "a.tar.$suffix" "b.tar.$suffix"
    # shellcheck disable=SC2086  # options are words
    expect_status 0 "$TREEMILL" create -qf $model_processes --compress=processes:2 --block-size=16K "b.tar.$suffix" tree
    check "$suffix: the same by processes" cmp -s "a.tar.$suffix" "b.tar.$suffix"
    expect_status 0 "$TREEMILL" test -q "a.tar.$suffix"
    check "test says nothing of $suffix" [ ! -s err ]
done

# A list whose payload takes several members of gzip.
mkdir deep
long=$(printf 'd%.0s' {1..200})
for i in $(seq 1 700); do
    name=$(printf '%04d' "$i" | sha256sum | cut -c 1-64)
    head -c 3000 /dev/urandom >"deep/$i-$name-$name-${long:0:90}"
done
expect_status 0 "$TREEMILL" create -q --block-size=4K many.tar.gz deep
size=$(stat -c %s many.tar.gz)
start=$(od -An -t u8 -j $((size - 18)) -N 8 many.tar.gz)
check "it does" [ $((size - start)) -gt 120000 ]

expect_status 0 "$TREEMILL" create -q plain.tar tree
expect_status 0 "$TREEMILL" create -q deep.tar deep
silent() { # TAR COMMAND...: what comes out is the tar, and nothing is said
    "${@:2}" >got 2>said && cmp -s got "$1" && [ ! -s said ]
}
for pair in a:plain many:deep; do
    archive=${pair%:*}.tar.gz tar=${pair#*:}.tar
    for program in gzip pigz igzip; do
        ! has "$program" || check "$program reads $archive" silent "$tar" "$program" -dc "$archive"
        ! has "$program" || check "$program -t $archive" silent /dev/null "$program" -t "$archive"
    done
    ! has libdeflate-gunzip || check "libdeflate reads $archive" silent "$tar" libdeflate-gunzip -c "$archive"
    ! has 7z || check "7z reads $archive" silent "$tar" 7z x -so "$archive"
    ! has bgzip || check "bgzip reads $archive" silent "$tar" bgzip -dc "$archive"
    ! has python3 || check "zlib reads $archive" silent "$tar" python3 -c \
        'import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())' "$archive"
    check "decompress reads $archive" silent "$tar" "$TREEMILL" decompress -qc "$archive"
done
for program in "zstd -dqc" "zstd -dqc --single-thread" "pzstd -dqc" "7z x -so" "$TREEMILL decompress -qc"; do
    # shellcheck disable=SC2086  # options are words
    ! has "${program%% *}" || check "$program a.tar.zst" silent plain.tar $program a.tar.zst
done
tar -tf plain.tar --quoting-style=escape >names
for archive in a.tar.gz a.tar.zst; do
    check "tar lists $archive" silent names tar -tf "$archive" --quoting-style=escape
    check "tar compares $archive" silent /dev/null tar -df "$archive"
    ! has bsdtar || check "bsdtar reads $archive" silent <(bsdtar -cf - @plain.tar) bsdtar -cf - "@$archive"
done
check "zstd knows all frames" grep -q 'Skippable Frames: 2' <(zstd -lv a.tar.zst 2>/dev/null)

# Members by nothing but the description.
if has python3; then
    for suffix in gz zst; do
        check "$suffix: an index" [ "$(python3 index.py "a.tar.$suffix" | wc -l)" -gt 5 ]
        check "$suffix: it begins with the tree" [ "$(python3 index.py "a.tar.$suffix" | sed -n 1p)" = "0 tree/" ]
        for file in a.c a/b/c large many/file-of-a-long-name-{1,77,999,1500}; do
            check "$suffix: $file" silent "tree/$file" python3 index.py "a.tar.$suffix" "tree/$file"
        done
    done
    check "several pieces make an index" [ "$(python3 index.py many.tar.gz | wc -l)" -eq 701 ]
fi

# Reproducible: other times, the same bytes.
for suffix in gz zst; do
    for i in 1 2; do
        expect_status 0 env SOURCE_DATE_EPOCH=1000000000 \
            "$TREEMILL" create -q --reproducible --block-size=16K "r$i.tar.$suffix" tree
        touch tree/large
    done
    check "$suffix: reproducible" cmp -s "r1.tar.$suffix" "r2.tar.$suffix"
done

finish
