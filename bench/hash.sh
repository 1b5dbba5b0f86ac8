#!/bin/bash
# Measures `treemill hash` beside other programs and the physical limit. See bench/README.md.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<END
usage: bench/hash.sh [OPTION]... [DIR]

DIR: where the trees are made (see bench/trees.sh).
  --rounds=N       timed rounds a table (5)
  --seconds=S      begin no further round of a table that would end after S seconds (600)
  --trees=A,B,...  of source, small, large (all)
  --caches=A,B     of warm, cold (both)
  --peers=A,B,...  only these peers; the limit and treemill always take part
  --peers-only     without treemill
  --batch=N        files that xargs gives to one process of a peer at most (2048)
  --processes=N    processes of a peer at once, threads of those that have them (one a CPU)
  --output=DIR     keep the tables there as TREE-CACHE.tsv, beside machine.tsv
  --quick          for checks of the benchmark itself: little trees, one round, warm; the outputs
                   are compared, the times are not judged
The program measured is \$TREEMILL, else build/release/treemill, else the one in PATH.
END
}

directory=
rounds=5
seconds=600
trees=source,small,large
caches=warm,cold
peers=
output=
quick=0
peers_only=0
files_each=2048
processes=$(nproc)
for argument; do
    case $argument in
    --rounds=*) rounds=${argument#*=} ;;
    --seconds=*) seconds=${argument#*=} ;;
    --trees=*) trees=${argument#*=} ;;
    --caches=*) caches=${argument#*=} ;;
    --peers=*) peers=,${argument#*=}, ;;
    --peers-only) peers_only=1 ;;
    --batch=*) files_each=${argument#*=} ;;
    --processes=*) processes=${argument#*=} ;;
    --output=*) output=${argument#*=} ;;
    --quick) quick=1 rounds=1 caches=warm ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[0-9]+$ ]] ||
    die "--rounds and --seconds take numbers"
[[ $files_each =~ ^[1-9][0-9]*$ && $processes =~ ^[1-9][0-9]*$ ]] ||
    die "--batch and --processes take numbers"

treemill=
if ((!peers_only)); then
    treemill=$(find_treemill)
    [[ -n $treemill ]] || die "no treemill found: set TREEMILL or give --peers-only"
fi
paired=$(bench_program paired)
limit=$(bench_program limit)
cpus=$(nproc)

make_trees "$trees"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tell_machine machine.tsv

[[ ,$caches, != *,cold,* ]] || choose_cold

# add NAME PROGRAM PACKAGE COMMAND: a peer takes part if its program is here.
add() {
    local name=$1 program=$2 package=$3 command=$4
    [[ -z $peers || $peers == *,$name,* ]] || return 0
    if command -v "$program" >/dev/null; then
        entries+=("$name=cd '$tree_path' && $command")
    else
        note "$name skipped: no $program (Debian package $package)"
    fi
}

# Each peer at the settings found best on two CPUs: many files a process where they are many, one
# file a process where they are few and large; and its list of files for nothing, which is more
# than a user has. sha256sum-n64 is what people write.
add_peers() {
    local batch=$files_each parallel b3sum
    [[ $tree != large ]] || batch=1
    parallel="xargs -0 -a '$scratch/list' -P$processes -n$batch"
    b3sum="$parallel b3sum --num-threads=1"
    # b3sum alone can hash one file with several threads.
    [[ $tree != large ]] || b3sum="xargs -0 -a '$scratch/list' b3sum"
    add sha256sum-n64 sha256sum coreutils \
        "find . -type f -print0 | xargs -0 -P$processes -n64 sha256sum"
    add sha256sum-best sha256sum coreutils "$parallel sha256sum"
    add openssl openssl openssl "$parallel openssl dgst -r -sha256"
    add rhash rhash rhash "$parallel rhash --sha256"
    add b3sum b3sum b3sum "$b3sum"
    add xxhsum xxhsum xxhash "$parallel xxhsum -q -H2"
    add hashdeep hashdeep hashdeep "hashdeep -c sha256 -l -r -j$processes ."
    # The last one: it drops from the page cache what it has read.
    add rclone rclone rclone "rclone hashsum sha256 --config= --checkers=$processes ."
}

# A list of digests in one order, and './' before the names taken away.
normalize() { sed -E 's|^(\\?[0-9a-f]+ [ *])\./|\1|' | LC_ALL=C sort; }

# The programs must do the same work: treemill's list is sha256sum's list, xxhsum's too.
verify_outputs() {
    (cd "$tree_path" && "$treemill" hash -q .) | normalize >"$scratch/treemill"
    (cd "$tree_path" && find . -type f -print0 | xargs -0 -n4096 sha256sum) |
        normalize >"$scratch/sha256sum"
    cmp "$scratch/treemill" "$scratch/sha256sum" >&2 ||
        die "$tree: treemill hash and sha256sum differ"
    if command -v xxhsum >/dev/null; then
        (cd "$tree_path" && "$treemill" hash -q -a xxh128 .) | normalize >"$scratch/treemill"
        (cd "$tree_path" && find . -type f -print0 | xargs -0 -n4096 xxhsum -q -H2) |
            normalize >"$scratch/xxhsum"
        cmp "$scratch/treemill" "$scratch/xxhsum" >&2 ||
            die "$tree: treemill hash -a xxh128 and xxhsum differ"
    fi
    printf '%s\toutputs\tagree with sha256sum on %s files\n' "$tree" \
        "$(wc -l <"$scratch/sha256sum")"
}

status=0
IFS=, read -ra tree_names <<<"$trees"
IFS=, read -ra cache_names <<<"$caches"
for tree in "${tree_names[@]}"; do
    tree_path=$directory/$tree
    (cd "$tree_path" && find . -type f -print0 | LC_ALL=C sort -z) >"$scratch/list"
    [[ -z $treemill ]] || verify_outputs

    # The best reading loop of this tree on this machine; the rounds then measure that one.
    "$limit" -T "$cpus" -a none -r $((quick ? 1 : 3)) "$tree_path" >"$scratch/variants"
    variant=$(sed -n 's/^variant=//p' "$scratch/variants")

    for cache in "${cache_names[@]}"; do
        entries=()
        bases=(-b limit.sum_s)
        if [[ -n $treemill ]]; then
            bases+=(-b treemill)
            entries+=("treemill=cd '$tree_path' && '$treemill' hash -q ."
                "treemill-xxh128=cd '$tree_path' && '$treemill' hash -q -a xxh128 .")
            # The library's SHA-256, where this treemill has one of its own beside it.
            if [[ $("$treemill" help --table) == *$'option\thash\t--engine\t'* ]]; then
                entries+=("treemill-openssl=cd '$tree_path' && '$treemill' hash -q --engine=openssl .")
            fi
        fi
        entries+=("limit:read_s,hash_s,sum_s='$limit' -T $cpus -r 1 -V $variant '$tree_path'")
        add_peers
        options=(-r "$rounds" -s "$seconds" "${bases[@]}")
        if [[ $cache == cold ]]; then
            options+=(-w 0 -p "$(cold_command "$tree_path")")
            printf '\n%s, cold: %s\n' "$tree" "$cold_means"
        else
            options+=(-w 1 -m -P "'$limit' -T $cpus -a none -r 1 -V $variant '$tree_path'")
            printf '\n%s, warm: limit read by %s\n' "$tree" "$variant"
        fi
        # A peer that fails has its row say so; treemill failing is this benchmark's failure.
        "$paired" "${options[@]}" "${entries[@]}" >"$scratch/table" || true
        [[ -s $scratch/table ]] || die "$tree, $cache: no results"
        column -t -s $'\t' "$scratch/table" 2>/dev/null || cat "$scratch/table"
        if [[ -n $treemill ]] && grep -Eq '^treemill[^[:space:]]*'$'\t''[^0-9]' "$scratch/table"; then
            note "$tree, $cache: treemill failed"
            status=1
        fi
        [[ -z $output ]] || cp "$scratch/table" "$output/$tree-$cache.tsv"
    done
done
exit "$status"
