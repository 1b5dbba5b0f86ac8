#!/bin/bash
# Makes the benchmarks' trees from files of this machine; what is there already stays.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<END
usage: bench/trees.sh [OPTION]... [DIR]

Makes below DIR (\${TMPDIR:-/tmp}/treemill-bench, with --quick: ...-quick):
  source  a source-like tree: 78,000 files or more, 1.2 GB or more
  small   200,000 files of 0 to 4096 bytes, 500 a directory
  large   four files, 1.3 GB
and where --only asks for it
  slow    for a slow device: 2,000 files of 4 to 64 KiB, two of 32 and 48 MB
and prints for each its name, files, bytes, and a SHA-256 over its names, sizes and contents.

  --only=NAME,...     only these of source, small, large, slow
  --small-files=N     another number of small files; the tree is then small-N-BYTES
  --small-max=BYTES   their greatest size, 0 for empty files
  --quick             a short form: 2,000 + 2,000 files and two large ones, 60 MB in all
  --check             compute the digests again and compare them with those kept
  --evict             drop the trees' data from the page cache (needs no privilege; names and
                      inodes stay cached), print nothing
END
}

directory=
only=source,small,large
small_files=
small_max=
quick=0
check=0
evict=0
for argument; do
    case $argument in
    --only=*) only=${argument#*=} ;;
    --small-files=*) small_files=${argument#*=} ;;
    --small-max=*) small_max=${argument#*=} ;;
    --quick) quick=1 ;;
    --check) check=1 ;;
    --evict) evict=1 ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
[[ $small_files$small_max =~ ^[0-9]*$ ]] || die "--small-files and --small-max take numbers"

source_files=78000 source_bytes=1200000000 source_max=524288
large_sizes=320000000,280000000,400000000,300000000
slow_files=2000 slow_sizes=32000000,48000000
small_name=small
if ((quick)); then
    source_files=2000 source_bytes=20000000
    large_sizes=24000000,12000000
    slow_files=200 slow_sizes=3000000,2000000
fi
default_files=$((quick ? 2000 : 200000))
if [[ -n $small_files || -n $small_max ]]; then
    small_name=small-${small_files:-$default_files}-${small_max:-4096}
fi
small_files=${small_files:-$default_files}
small_max=${small_max:-4096}
if [[ -z $directory ]]; then
    directory=${TMPDIR:-/tmp}/treemill-bench
    ((quick)) && directory+=-quick
fi
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
program=$(bench_program trees)

# The roots of each kind that exist here, in this order.
text_roots=() all_roots=()
for root in /usr/include /usr/lib/gcc /usr/lib/python3 /usr/src /usr/share; do
    [[ -d $root ]] && text_roots+=("$root")
done
for root in /usr/lib /usr/share /usr/bin; do
    [[ -d $root ]] && all_roots+=("$root")
done

# make NAME VERB ARGUMENT...: makes DIR/NAME by `bench_trees VERB DIR/NAME ARGUMENT...`.
# NAME.stamp holds how it was made and what came of it; a tree without one is a leftover of an
# interrupted run, known by NAME.unfinished, and is made anew.
make() {
    local name=$1 verb=$2 tree=$directory/$1 stamp=$directory/$1.stamp how result
    shift 2
    how="made=$verb $*"
    if ((evict)); then
        [[ -f $stamp ]] && "$program" evict "$tree"
        return 0
    fi
    if [[ -f $stamp && $(head -n 1 "$stamp") == "$how" ]]; then
        result=$(tail -n +2 "$stamp")
        if ((check)); then
            [[ $("$program" digest "$tree") == "$result" ]] || die "$tree is not as it was made"
        fi
    else
        if [[ -e $tree ]]; then
            [[ -f $stamp || -f $directory/$name.unfinished ]] ||
                die "$tree exists and was not made by this script"
            rm -rf "$tree"
        fi
        rm -f "$stamp"
        : >"$directory/$name.unfinished"
        note "making $tree"
        "$program" "$verb" "$tree" "$@"
        result=$("$program" digest "$tree")
        # What is still to be written would disturb the measurements.
        sync -f "$directory"
        printf '%s\n%s\n' "$how" "$result" >"$stamp.new"
        mv "$stamp.new" "$stamp"
        rm -f "$directory/$name.unfinished"
    fi
    printf '%s\t%s\n' "$name" "$(paste -sd '\t' - <<<"$result")"
}

IFS=, read -ra wanted <<<"$only"
for kind in "${wanted[@]}"; do
    case $kind in
    source) make source source "$source_files" "$source_bytes" "$source_max" "${text_roots[@]}" ;;
    small) make "$small_name" small "$small_files" "$small_max" "${text_roots[@]}" ;;
    large) make large large "$large_sizes" "${all_roots[@]}" ;;
    slow) make slow mixed "$slow_files" 4096-65536 "$slow_sizes" "${all_roots[@]}" ;;
    *) die "--only=$kind: source, small, large or slow" ;;
    esac
done
