#!/usr/bin/env bash
# Makes the seed corpora, a directory for each target: what treemill and other tools make of a few
# small inputs. A tool that is missing is left out, and that is said.
# Usage: seeds.sh BUILD_DIR SEEDS_DIR; $TREEMILL: the program, else that of a build in build/
set -euo pipefail
build=$(realpath "$1")
mkdir -p "$2"
seeds=$(realpath "$2")
cd "$(dirname "$0")/../.."
treemill=${TREEMILL:-}
for preset in dev release; do
    [ -n "$treemill" ] || [ ! -x "build/$preset/treemill" ] || treemill=$PWD/build/$preset/treemill
done
inputs=$(mktemp -d)
trap 'rm -rf "$inputs"' EXIT
rm -rf "$seeds"
mkdir -p "$seeds"/fuzz_{member_index,seek_table,archive_index,decode_stream,manifest,untar,unzip}

has() {
    [ -n "$1" ] && command -v "$1" >/dev/null && return
    echo "left out: seeds of ${1:-treemill}: it is missing"
    return 1
}

# Small inputs: nothing, a word, text that compresses, noise that does not.
: >"$inputs/empty"
printf 'word\n' >"$inputs/word"
head -c 9000 README.md >"$inputs/text"
seq 1 5000 >"$inputs/numbers"
openssl enc -aes-128-ctr -K 00 -iv 00 -in "$inputs/text" -out "$inputs/noise" 2>/dev/null

# FILE's bytes and the eight behind them that choose the sizes of pieces: see fuzz.h.
put_stream() { # NAME
    { cat && printf '\377\001\100\207\003\177\200\013'; } >"$seeds/fuzz_decode_stream/$1"
}

# One file to the target of its index and, with choices, to that of streams.
put() { # NAME, from standard input
    local index=fuzz_seek_table
    cat >"$inputs/.packed"
    [[ $1 != *.gz ]] || index=fuzz_member_index
    cp "$inputs/.packed" "$seeds/$index/$1"
    put_stream "$1" <"$inputs/.packed"
}

for input in empty word text numbers noise; do
    file=$inputs/$input
    if has gzip; then
        gzip -1nc "$file" | put "gzip-1-$input.gz"
        gzip -9c "$file" | put "gzip-9-$input.gz"
        { gzip -nc "$file" && gzip -nc "$inputs/word" && head -c 100 /dev/zero; } |
            put "gzip-twice-padded-$input.gz"
        { gzip -nc "$file" && printf 'garbage'; } | put "gzip-garbage-$input.gz"
    fi
    ! has bgzip || bgzip -c "$file" | put "bgzip-$input.gz"
    if has zstd; then
        zstd -1qc "$file" | put "zstd-1-$input.zst"
        zstd -19qc --check "$file" | put "zstd-19-$input.zst"
        { zstd -qc --no-check <"$file" && printf '\120\052\115\030\003\0\0\0abc' &&
            zstd -qc "$inputs/word"; } | put "zstd-skip-$input.zst"
    fi
    ! has pzstd || pzstd -qc -p2 "$file" 2>/dev/null | put "pzstd-$input.zst"
    if has "$treemill"; then
        for level in 1 6; do
            "$treemill" compress -q -l "$level" --block-size=4K - <"$file" |
                put "treemill-$level-$input.gz"
        done
        "$treemill" compress -q --format=zstd --block-size=4K - <"$file" |
            put "treemill-$input.zst"
    fi
done

# Archives with an index of their members, and the entries of one by themselves.
if has "$treemill"; then
    mkdir -p "$inputs/tree/a/b" "$inputs/tree/c"
    for name in a.c a/b.c a/b/1 a/b/2 c/text c/z; do cp "$inputs/text" "$inputs/tree/$name"; done
    for suffix in gz zst; do
        (cd "$inputs" && "$treemill" create -qf --block-size=4K ".packed.tar.$suffix" tree)
        cp "$inputs/.packed.tar.$suffix" "$seeds/fuzz_archive_index/treemill.tar.$suffix"
        put "treemill-tar.$suffix" <"$inputs/.packed.tar.$suffix"
    done
fi
printf '\0\0\005tree/\011\005\003a.c\013\006\003/b/\005\010\0011\012\010\0012' \
    >"$seeds/fuzz_archive_index/entries"

# Manifests: of the unit test, of tools. Zeros choose: no name, no pieces but of one byte.
"$build/manifest_seeds" "$seeds/fuzz_manifest"
put_manifest() { # NAME, from standard input
    { cat && printf '\0\0\0\0\0\0\0\0'; } >"$seeds/fuzz_manifest/$1"
}
cd "$inputs"
sha256sum word text | put_manifest gnu
md5sum --tag word text | put_manifest bsd
sha1sum --zero word text | put_manifest gnu0
! has hashdeep || hashdeep -l word text | put_manifest hashdeep
! has bsdtar || bsdtar -cf - --format=mtree --options='mtree:sha256,mtree:md5' word text |
    put_manifest mtree
if has "$treemill"; then
    for format in gnu bsd gnu0 mtree hashdeep json; do
        "$treemill" hash -q --format="$format" word text | put_manifest "treemill-$format"
    done
fi

# Zip archives: of small entries, of links and directories; a block of 4 KiB, so that some are large.
put_zip() { # FILE
    { cat "$1" && printf '\001\003\0\0\0\0\0\0'; } >"$seeds/fuzz_unzip/$1"
    rm "$1"
}
mkdir -p tree/below
cp word text empty tree
cp noise tree/below
ln -s ../word tree/below/link
if has zip; then
    zip -qry zip.zip tree && put_zip zip.zip
    zip -qry0 zip-stored.zip tree && put_zip zip-stored.zip
    zip -qry -fz zip-64.zip tree && put_zip zip-64.zip
    zip -qr - tree | cat >zip-streamed.zip && put_zip zip-streamed.zip
    zip -qry - word | cat text - >zip-behind.zip && put_zip zip-behind.zip
    echo 'a comment' | zip -qz -r zip-comment.zip tree >/dev/null && put_zip zip-comment.zip
    zip -q -P secret zip-encrypted.zip word && put_zip zip-encrypted.zip
fi
if has 7z; then
    7z a -bd -snl -tzip 7z.zip tree >/dev/null && put_zip 7z.zip
fi
! has bsdtar || { bsdtar -cf bsdtar.zip --format=zip tree && put_zip bsdtar.zip; }
! has "$treemill" || { "$treemill" create -q treemill.zip tree && put_zip treemill.zip; }

# Archives: every kind of member, long names, holes, attributes and lists where /tmp has them. The
# choices are those of put_stream(): checksums are mended.
put_archive() { # NAME, from standard input
    { cat && printf '\377\001\100\207\003\177\200\013'; } >"$seeds/fuzz_untar/$1"
}
mkdir -p tree/directory
cd tree
printf 'word\n' >file
ln file hard
ln -s file symbolic
mkfifo fifo
touch -d @-5.5 past
: >"$(printf 'n%.0s' {1..120})"
ln -s "$(printf 't%.0s' {1..120})" long
truncate -s 20000 holes
for at in 0 8192; do
    dd if=file of=holes conv=notrunc oflag=seek_bytes seek="$at" status=none
done
! has setfattr || setfattr -n user.name -v value file || true
! has setfacl || setfacl -m u:7:rwx,u:root:r file || true
cd ..
for format in v7 oldgnu gnu ustar posix; do
    # What a format cannot say is left out of it, and tar says so.
    tar -b1 --format="$format" -cf - tree 2>/dev/null | put_archive "tar-$format" || true
done
for format in oldgnu gnu; do
    tar -b1 -S --format="$format" -cf - tree | put_archive "tar-$format-sparse"
done
for version in 0.0 0.1 1.0; do
    tar -b1 -S --format=posix --sparse-version="$version" -cf - tree/holes |
        put_archive "tar-posix-sparse-$version"
done
tar -b1 --format=posix --xattrs --acls -cf - tree/file | put_archive tar-posix-attributes
tar -b1 --format=gnu --incremental --label=label -cf - tree | put_archive tar-gnu-dump
if has bsdtar; then
    for format in gnutar pax ustar; do
        bsdtar -b1 --format="$format" --xattrs --acls -cf - tree 2>/dev/null |
            put_archive "bsdtar-$format" || true
    done
fi
! has "$treemill" || "$treemill" create -q --format=tar - tree |
    put_archive treemill || true
