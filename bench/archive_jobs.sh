# The jobs of archive.sh, which sources this: for each the peers as people use them, how what they
# write is checked, the codec whose speed is the limit, and the figures that are wanted.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of archive.sh

# Which verb of treemill a job measures. Decompression needs something that treemill compressed.
verb_of() {
    case $1 in
    files-* | large-*) echo compress ;;
    expand-*) echo decompress ;;
    unpack-*) echo extract ;;
    *) echo create ;;
    esac
}

# codec_of SUFFIX LEVEL DEFAULT: the codec treemill uses there, as LIBRARY:LEVEL, from what it says
# itself; else the default.
codec_of() {
    local said=
    if [[ -n $treemill ]]; then
        mkdir -p "$scratch/empty"
        said=$("$treemill" create -v -f "-$2" "$scratch/probe.$1" "$scratch/empty" 2>&1 |
            sed -En 's/.* by (isal|libdeflate|zstd), level ([0-9]+).*/\1:\2/p') || true
    fi
    printf '%s\n' "${said:-$3}"
}

# The treemill rows. It reads a tree as `.`, as the others do.
add_create() {
    [[ -z $treemill ]] ||
        entry treemill "$1" "treemill.$2" "'$treemill' create -q -f ${3:+-$3} {} ."
}

# Without looking for files that are there twice: the tree source has many, and the others store
# them as often.
add_squashfs() {
    add mksquashfs mksquashfs squashfs-tools squash squash "mksquashfs . {} -noappend -quiet \
        -no-progress -no-duplicates -processors $processes $1"
}

job_tgz() {
    local level=$1
    add_create tgz tar.gz "$level"
    if ((level == 1)); then
        add igzip igzip isal tgz igzip "tar -cf - . | igzip -1 -T $processes >{}"
        # The pipe costs something here; tar's larger records make it less.
        add igzip-b512 igzip isal tgz igzip "tar -b 512 -cf - . | igzip -1 -T $processes >{}"
    fi
    add pigz pigz pigz tgz pigz "tar -cf - . | pigz -$level -p $processes >{}"
    add bsdtar bsdtar libarchive-tools tgz bsdtar \
        "bsdtar -cf {} --gzip --options gzip:compression-level=$level ."
    add_squashfs "-comp gzip -Xcompression-level $level"
    measure -c "$(codec_of tar.gz "$level" "$([[ $level == 1 ]] && echo isal:2 ||
        echo "libdeflate:$level")")" -b 1M -w "$out_path"
    if ((level == 1)); then
        want_speed igzip 2
        want_size igzip 1
        want_speed pigz 4
    else
        want_speed pigz 2.2
        want_size pigz 1
        want_memory
    fi
}

job_tzst() {
    add_create tzst tar.zst "$1"
    add zstd zstd zstd tzst zstd "tar -cf - . | zstd -q -$1 -T$processes >{}"
    add bsdtar bsdtar libarchive-tools tzst bsdtar \
        "bsdtar -cf {} --zstd --options zstd:compression-level=$1,zstd:threads=$processes ."
    add_squashfs "-comp zstd -Xcompression-level $1"
    measure -c "$(codec_of tar.zst "$1" "zstd:$1")" -b 2M -w "$out_path"
    want_speed zstd 1.5
    want_size zstd 1.015
    want_memory
}

job_tar() {
    add_create tar tar
    add tar tar tar tar tar "tar -cf {} ."
    add bsdtar bsdtar libarchive-tools tar bsdtar "bsdtar -cf {} ."
    measure -c none -w "$out_path"
    want_memory
}

job_zip() {
    add_create zip zip "$1"
    add zip zip zip zip zip.zip "zip -r -q -$1 {} ."
    # Its own default: it has no level that takes the others' time or comes to their size.
    add 7z 7z p7zip-full zip 7z.zip "7z a -tzip -mx=5 -mmt=$processes -bso0 -bsp0 {} ."
    add bsdtar bsdtar libarchive-tools zip bsdtar.zip \
        "bsdtar -cf {} --format zip --options zip:compression-level=$1 ."
    measure -c "$(codec_of zip "$1" "libdeflate:$1")" -b 1M -m -w "$out_path"
    want_speed zip 3
    want_memory
}

# Files that are compressed already: the programs pass over them, each in its own way.
compressed_names=(-name '*.gz' -o -name '*.tgz' -o -name '*.zst' -o -name '*.Z' -o -name '*.z'
    -o -name '*-gz' -o -name '*-z' -o -name '*_z' -o -name '*.taz' -o -name '*.tzst'
    -o -name '*.lz4' -o -name '*.xz' -o -name '*.bz2')

# Most peers write beside what they read, so the tree is copied to where things are written, and
# everybody reads the copy.
make_copy() {
    copy_path=$target_path/copy
    [[ ! -d $copy_path || $(cat "$scratch/copy" 2>/dev/null) != "$tree" ]] || return 0
    rm -rf "$copy_path"
    mkdir "$copy_path"
    (cd "$directory/$tree" && find . -type f ! \( "${compressed_names[@]}" \) -print0 |
        tar --null --no-recursion -T - -cf -) | tar -xf - -C "$copy_path"
    printf '%s\n' "$tree" >"$scratch/copy"
}

job_files() {
    local suffix=$1 find_files pick format level codec
    make_copy
    input_path=$copy_path limit_path=$copy_path
    find_variant "$copy_path"
    find_files="find . -type f ! -name '*.$suffix' -print0"
    pick="$find_files | xargs -0 -P$processes -n64"
    prepare_job="$prepare && find '$copy_path' -name '*.$suffix' -delete"
    if [[ $suffix == gz ]]; then
        format=gzip level=6 codec=$(codec_of tar.gz 6 libdeflate:6)
    else
        format=zstd level=3 codec=$(codec_of tar.zst 3 zstd:3)
    fi
    if [[ -n $treemill ]]; then
        entry treemill "files.$suffix" treemill \
            "mkdir {} && '$treemill' compress -q -r --format=$format -$level -o {} ."
    fi
    if [[ $suffix == gz ]]; then
        # xargs runs as many as there are CPUs: one thread each is the faster for pigz, too.
        add_beside pigz pigz pigz "pigz -$level -k -p1"
        add_beside gzip gzip gzip "gzip -$level -k"
        add_beside libdeflate libdeflate-gzip libdeflate-tools "libdeflate-gzip -$level -k"
    else
        add_beside zstd zstd zstd "zstd -q -$level -k --single-thread"
    fi
    measure -c "$codec" -b "$([[ $suffix == gz ]] && echo 1M || echo 2M)" -m -W "$out_path"
    want_memory
    sh -c "$prepare_job"
}

# A peer that writes beside what it reads.
add_beside() {
    add "$1" "$2" "$3" "beside.$suffix" "" "$pick $4"
}

job_large() {
    local suffix=gz format=gzip level=$1 codec block=1M
    case $level in
    1) codec=$(codec_of tar.gz 1 isal:2) ;;
    6) codec=$(codec_of tar.gz 6 libdeflate:6) ;;
    zst) suffix=zst format=zstd level=3 block=2M codec=$(codec_of tar.zst 3 zstd:3) ;;
    esac
    choose_large
    find_variant "$large_path"
    if [[ -n $treemill ]]; then
        entry treemill "one.$suffix" treemill \
            "mkdir {} && '$treemill' compress -q --format=$format -$level -o {} '$large_name'"
    fi
    if [[ $suffix == zst ]]; then
        add zstd zstd zstd one.zst zstd "zstd -q -$level -T$processes -c '$large_name' >{}"
    else
        ((level > 3)) || add igzip igzip isal one.gz igzip \
            "igzip -$level -T $processes -c '$large_name' >{}"
        add pigz pigz pigz one.gz pigz "pigz -$level -p $processes -c '$large_name' >{}"
        add libdeflate libdeflate-gzip libdeflate-tools one.gz libdeflate \
            "libdeflate-gzip -$level -c '$large_name' >{}"
        add gzip gzip gzip one.gz gzip "gzip -$level -c '$large_name' >{}"
    fi
    measure -c "$codec" -b "$block" -m -w "$out_path"
    want_memory
}

# The largest file of the tree large.
choose_large() {
    large_path=$(find "$directory/large" -type f -printf '%s %p\n' | sort -n | tail -n 1)
    large_path=${large_path#* }
    large_name=${large_path##*/}
    input_path=${large_path%/*} limit_path=$large_path
}

# make_compressed KIND: prints the path of the large file as KIND compressed it: own.gz, pigz.gz,
# own.zst or zstd.zst.
make_compressed() {
    local path=$target_path/compressed/$1 format=gzip
    if [[ ! -e $path ]]; then
        mkdir -p "$target_path/compressed/new"
        case $1 in
        own.*)
            [[ $1 != *.zst ]] || format=zstd
            "$treemill" compress -q --format=$format -o "$target_path/compressed/new" \
                "$large_path" &&
                find "$target_path/compressed/new" -type f -exec mv {} "$path" \;
            ;;
        pigz.gz) pigz -6 -p "$processes" -c "$large_path" >"$path" ;;
        zstd.zst) zstd -q -3 -T"$processes" -c "$large_path" >"$path" ;;
        esac
    fi
    [[ -s $path ]] && printf '%s\n' "$path"
}

# The faster library here at decompressing gzip members of 1 MiB in memory.
best_inflate() {
    local library sample=${large_path:-$limit_path}
    for library in isal libdeflate; do
        printf '%s\t%s\n' "$("$codec_limit" -r 2 -b 1M -m -d $library "$sample" |
            sed -n 's/^codec_s=//p')" $library
    done | sort -n | sed -n '1s/.*\t//p'
}

job_expand() {
    local kind=$1 compressed input
    choose_large
    case $kind in
    own) compressed=own.gz ;;
    pigz) compressed=pigz.gz ;;
    zst) compressed=$([[ -n $treemill ]] && echo own.zst || echo zstd.zst) ;;
    esac
    if [[ $compressed == own.* && -z $treemill ]]; then
        printf '\n%s skipped: there is no treemill to compress\n' "$job"
        return
    fi
    if ! input=$(make_compressed "$compressed"); then
        note "$job skipped: $compressed could not be made"
        [[ $compressed != own.* ]] || status=1
        return
    fi
    fill="cat '$input'"
    if [[ -n $treemill ]]; then
        entry treemill original treemill "mkdir {} && '$treemill' decompress -q -o {} '$input'"
    fi
    if [[ $kind == zst ]]; then
        add zstd zstd zstd original zstd "zstd -q -d -c '$input' >{}"
        measure -c zstd:3 -b 2M -m -d zstd -w "$out_path"
        want_memory
        return
    fi
    add igzip igzip isal original igzip "igzip -d -c '$input' >{}"
    add pigz pigz pigz original pigz "pigz -d -p $processes -c '$input' >{}"
    add gzip gzip gzip original gzip "gzip -d -c '$input' >{}"
    add libdeflate libdeflate-gunzip libdeflate-tools original libdeflate \
        "libdeflate-gunzip -c '$input' >{}"
    if [[ $kind == pigz ]]; then
        # One member is one stream, in which what follows depends on what was before: one thread.
        # Another could write meanwhile, so that writing adds nothing.
        measure -c libdeflate:6 -b 1M -m -d "$(best_inflate)" -T 1
    else
        measure -c libdeflate:6 -b 1M -m -d "$(best_inflate)" -w "$out_path"
        want_speed igzip 1.8
    fi
    want_memory
}

# One table. Each job sets input_path, where its commands run, and limit_path, what the limit reads.
run_job() {
    input_path=$directory/$tree limit_path=$directory/$tree
    begin_table
    case $job in
    files-* | large-* | expand-*) ;; # find their own
    *) find_variant "$input_path" ;;
    esac
    "job_${job%%-*}" "${job#*-}"
}

# list_written NAME ARGUMENT...: find(1), over the files that an entry wrote.
list_written() {
    local name=$1
    shift
    case ${form_of[$name]} in
    beside.*) find "$input_path" -type f -name "*.${form_of[$name]#*.}" "$@" ;;
    *) find "${out_of[$name]}" -type f "$@" ;;
    esac
}

# check_entry NAME: whether what it wrote is right. treemill's archives are unpacked by others and
# compared with the tree; of the peers' it is enough that all files are there. Without the program
# that would do it nothing is checked, and a line says so.
check_entry() {
    local name=$1 form=${form_of[$1]} out=${out_of[$1]} kind=${form_of[$1]#*.} checker
    case $form in
    zip) checker=unzip ;;
    squash) checker=unsquashfs ;;
    tzst | *.zst) checker=zstd ;;
    *) checker=gzip ;;
    esac
    if ! command -v "$checker" >/dev/null; then
        note "$job, $tree: what $name wrote is not checked: no $checker"
        return 0
    fi
    case $form in
    files.*)
        # Afterwards this is the tree again.
        list_written "$name" -print0 | expand_all "$kind" && diff -r "$input_path" "$out"
        ;;
    beside.*) check_count "$(list_written "$name" | wc -l)" ! -name "*.$kind" ;;
    one.gz) list_written "$name" -exec gzip -dc {} + | cmp - "$large_path" ;;
    one.zst) list_written "$name" -exec zstd -q -dc {} + | cmp - "$large_path" ;;
    original) list_written "$name" -exec cat {} + | cmp - "$large_path" ;;
    tree | one) check_unpacked "$form" "$out" ;;
    *)
        if [[ $name == treemill* ]]; then
            unpack "$form" "$out" "$target_path/unpacked" &&
                diff -r "$input_path" "$target_path/unpacked" && rm -rf "$target_path/unpacked"
        else
            check_count "$(list_members "$form" "$out" | grep -vc '/$')"
        fi
        ;;
    esac
}

# check_count NUMBER CONDITION...: the tree has so many files that meet the condition of find(1).
check_count() {
    local number=$1 files
    shift
    files=$(find "$input_path" -type f "$@" | wc -l)
    ((number == files)) || {
        echo "$number files in place of $files"
        return 1
    }
}

list_members() {
    case $1 in
    tar) tar -tf "$2" ;;
    tgz) gzip -dc "$2" | tar -tf - ;;
    tzst) zstd -q -dc "$2" | tar -tf - ;;
    zip) unzip -Z1 "$2" ;;
    squash) unsquashfs -ll "$2" | sed -n 's/^-//p' ;;
    esac
}

# unpack FORM FILE DIRECTORY
unpack() {
    rm -rf "$3"
    mkdir "$3"
    case $1 in
    tar) tar -xf "$2" -C "$3" ;;
    tgz) gzip -dc "$2" | tar -xf - -C "$3" ;;
    tzst) zstd -q -dc "$2" | tar -xf - -C "$3" ;;
    zip) LC_ALL=C.UTF-8 unzip -q "$2" -d "$3" ;;
    esac
}

# Decompresses the files listed on standard input in their places.
expand_all() {
    case $1 in
    gz) xargs -0 gzip -d ;;
    zst) xargs -0 zstd -q -d --rm ;;
    esac
}
