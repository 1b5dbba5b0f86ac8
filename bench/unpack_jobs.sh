# Extraction: jobs of archive.sh, which sources this, as archive_jobs.sh. Everybody extracts what
# treemill has made of the tree, but for mksquashfs's image.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of archive.sh

# make_archive SUFFIX: prints the path of the tree as an archive.
make_archive() {
    local path=$target_path/archives/$tree.$1
    if [[ ! -e $path ]]; then
        mkdir -p "$target_path/archives"
        case $1 in
        gz.squash) squash "$path" gzip ;;
        zst.squash) squash "$path" zstd ;;
        *) (cd "$directory/$tree" && "$treemill" create -q "$path" .) ;;
        esac || return
    fi
    printf '%s\n' "$path"
}

squash() {
    command -v mksquashfs >/dev/null &&
        mksquashfs "$directory/$tree" "$1" -noappend -quiet -no-progress -no-duplicates \
            -comp "$2" >/dev/null
}

# unpacker NAME PROGRAM PACKAGE COMMAND: a peer that fills the directory {}.
unpacker() { add "$1" "$2" "$3" tree tree "mkdir {} && $4"; }

add_unsquashfs() {
    local image
    image=$(make_archive "$1.squash") || return 0
    add unsquashfs unsquashfs squashfs-tools tree tree \
        "unsquashfs -quiet -no-progress -processors $processes -dest {} '$image'"
}

job_unpack() {
    local kind=$1 archive suffix=$1
    [[ $kind != one ]] || suffix=tar.zst
    if [[ -z $treemill ]]; then
        printf '\n%s skipped: there is no treemill to make the archive\n' "$job"
        return
    fi
    archive=$(make_archive "$suffix") || die "$job, $tree: no archive could be made"
    input_path=$target_path
    fill="cat '$archive'"
    if [[ $kind == one ]]; then
        unpack_one
        return
    fi
    entry treemill tree tree "'$treemill' extract -q -C {} '$archive'"
    unpackers_of "$kind"
    unpacker bsdtar bsdtar libarchive-tools "bsdtar -xf '$archive' -C {}"
    limit_of "$kind"
    want_memory
}

unpackers_of() {
    case $1 in
    tar) unpacker tar tar tar "tar -xf '$archive' -C {}" ;;
    tar.gz)
        unpacker tar tar tar "tar -xzf '$archive' -C {}"
        unpacker pigz pigz pigz "pigz -dc '$archive' | tar -xf - -C {}"
        unpacker igzip igzip isal "igzip -dc '$archive' | tar -xf - -C {}"
        add_unsquashfs gz
        ;;
    tar.zst)
        unpacker tar zstd zstd "tar --zstd -xf '$archive' -C {}"
        add_unsquashfs zst
        ;;
    zip)
        unpacker unzip unzip unzip "LC_ALL=C.UTF-8 unzip -q '$archive' -d {}"
        unpacker 7z 7z p7zip-full "7z x -bso0 -bsp0 -o{} '$archive'"
        ;;
    esac
}

# What the codec takes alone, and writing the files.
limit_of() {
    case $1 in
    tar)
        measure -c none -W "$out_path"
        want_speed tar 1.2
        ;;
    tar.gz)
        measure -c libdeflate:6 -b 1M -d "$(best_inflate)" -W "$out_path"
        want_speed tar 3
        ;;
    tar.zst)
        measure -c zstd:3 -b 2M -d zstd -W "$out_path"
        want_speed tar 1.5
        ;;
    zip)
        measure -c libdeflate:6 -b 1M -m -d "$(best_inflate)" -W "$out_path"
        want_speed unzip 1.5
        ;;
    esac
}

# A file from the middle of the tree, beside all of it.
unpack_one() {
    local member
    member=$(cd "$directory/$tree" && find . -type f -size -64k | LC_ALL=C sort |
        awk '{ line[NR] = substr($0, 3) } END { print line[int(NR / 2) + 1] }')
    one_member=$member
    entry treemill tree tree "'$treemill' extract -q -C {} '$archive'"
    entry treemill-one one tree "'$treemill' extract -q -C {} '$archive' '$member'"
    add tar-one zstd zstd one tree "mkdir {} && tar --zstd -xf '$archive' -C {} './$member'"
    measure -c none -W "$out_path"
    want "of the time of all" "$(cell treemill-one vs_treemill)" most 0.05
}

# For check_entry.
check_unpacked() {
    case $1 in
    tree) diff -r --no-dereference "$directory/$tree" "$2" ;;
    one) cmp "$directory/$tree/$one_member" "$2/$one_member" ;;
    esac
}
