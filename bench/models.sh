#!/bin/bash
# Measures each model as the read stage of `treemill hash`. See bench/README.md.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<END
usage: bench/models.sh [OPTION]... [DIR]

DIR: where the trees are made (see bench/trees.sh).
  --rounds=N        timed rounds a table (5)
  --seconds=S       begin no further round of a table that would end after S seconds (300)
  --trees=A,B,...   of source, small, large, slow (all); slow is read through the slow device
  --caches=A,B      of warm, cold (both); the slow device knows no cache
  --models=A,B,...  of auto and MODEL:COUNT (inline,threads:1,threads:2,threads:8,processes:2,
                    uring:64,epoll:64 and auto, which reads in the workers that hash)
  --latency-ms=T    of each read of the slow device (5)
  --output=DIR      keep the tables there as models-TREE-CACHE.tsv, beside models-machine.tsv
  --quick           for checks of the benchmark itself: little trees, one round, warm
The program measured is \$TREEMILL, else build/release/treemill, else the one in PATH; the slow
device is \$SLOWFS, else the one of build/release.
END
}

directory=
rounds=5
seconds=300
trees=source,small,large,slow
caches=warm,cold
models=auto,inline,threads:1,threads:2,threads:8,processes:2,uring:64,epoll:64
latency_ms=5
output=
quick=0
for argument; do
    case $argument in
    --rounds=*) rounds=${argument#*=} ;;
    --seconds=*) seconds=${argument#*=} ;;
    --trees=*) trees=${argument#*=} ;;
    --caches=*) caches=${argument#*=} ;;
    --models=*) models=${argument#*=} ;;
    --latency-ms=*) latency_ms=${argument#*=} ;;
    --output=*) output=${argument#*=} ;;
    --quick) quick=1 rounds=1 caches=warm latency_ms=1 ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[0-9]+$ ]] ||
    die "--rounds and --seconds take numbers"

treemill=$(find_treemill)
[[ -n $treemill ]] || die "no treemill found: set TREEMILL"
paired=$(bench_program paired)
limit=$(bench_program limit)
cpus=$(nproc)

scratch=$(mktemp -d)
slow_pid=
mkdir "$scratch/slow" "$scratch/probe"

unmount() {
    [[ -n $slow_pid ]] || return 0
    kill "$slow_pid" 2>/dev/null || true
    while kill -0 "$slow_pid" 2>/dev/null; do sleep 0.05; done
    slow_pid=
}
trap 'unmount; rm -rf --one-file-system "$scratch"' EXIT

# The slow tree's mount point takes its place; says why where it cannot.
mount_slow() {
    local slowfs=${SLOWFS:-$bench_source/build/release/tests/slowfs/slowfs}
    if [[ ! -x $slowfs ]]; then
        note "slow skipped: no slowfs was built (Debian package libfuse3-dev)"
        return 1
    fi
    slow_pid=$("$slowfs" --latency-ms="$latency_ms" "$directory/slow" "$scratch/slow") || {
        note "slow skipped: the slow device cannot be mounted here"
        slow_pid=
        return 1
    }
}

make_trees "$trees"

tell_machine models-machine.tsv
[[ ,$caches, != *,cold,* ]] || choose_cold

# The other stages are the same for all, so that only the reader differs. auto is what a user gets.
flags_of() {
    if [[ $1 == auto ]]; then
        printf ' '
    else
        printf -- '--read=%s --hash=threads:%s' "$1" "$cpus"
    fi
}

# What this build or this machine does not have is left out, in the program's own words.
echo x >"$scratch/probe/file"
available=()
IFS=, read -ra wanted <<<"$models"
for model in "${wanted[@]}"; do
    # shellcheck disable=SC2046  # flags are words
    if reason=$("$treemill" hash -q $(flags_of "$model") "$scratch/probe" 2>&1 >/dev/null); then
        available+=("$model")
    else
        printf 'left out\t%s\t%s\n' "$model" "$(tail -n 1 <<<"$reason")"
    fi
done
((${#available[@]})) || die "--models=$models: none is available"

# How system calls are counted, in a run of their own that is not timed. Tracing points cost next
# to nothing; strace stops the program at each call, but needs no privilege.
counter=
if perf stat -x, -e raw_syscalls:sys_enter -o "$scratch/calls" true 2>/dev/null; then
    counter=perf
elif strace -f -c -o "$scratch/calls" true 2>/dev/null; then
    counter=strace
else
    note "system calls are not counted: neither perf (linux-perf) nor strace works here"
fi

# count_calls COMMAND: prints the number; the command's output goes to $scratch/list.
count_calls() {
    case $counter in
    perf)
        perf stat -x, -e raw_syscalls:sys_enter -o "$scratch/calls" sh -c "$1" >"$scratch/list" &&
            awk -F, '/raw_syscalls/ { print $1 }' "$scratch/calls"
        ;;
    strace)
        # The column before the last, errors, is there only if there were any.
        strace -f -c -o "$scratch/calls" sh -c "$1" >"$scratch/list" &&
            awk '$NF == "total" { print (NF > 5) ? $(NF - 2) : $(NF - 1) }' "$scratch/calls"
        ;;
    *) sh -c "$1" >"$scratch/list" && echo - ;;
    esac
}

# One run of each model: its system calls, and that its list is the first one's.
count_all() {
    local model command
    rm -f "$scratch/first"
    : >"$scratch/counts"
    for model in "${available[@]}"; do
        command="cd '$tree_path' && exec '$treemill' hash -q $(flags_of "$model") ."
        [[ $cache != cold ]] || sh -c "$(cold_command "$tree_path")"
        printf '%s\t%s\n' "${model/:/-}" "$(count_calls "$command")" >>"$scratch/counts"
        [[ -e $scratch/first ]] || cp "$scratch/list" "$scratch/first"
        cmp "$scratch/first" "$scratch/list" >&2 ||
            die "$tree, $cache: ${available[0]} and $model differ"
    done
}

# bench_paired's names may hold no colon; put it back, and the counts beside the switches.
finish_table() {
    awk -F'\t' -v OFS='\t' '
        NR == FNR { calls[$1] = $2; next }
        {
            $11 = $11 OFS (FNR == 1 ? "system_calls" : ($1 in calls) ? calls[$1] : "-")
            if (FNR == 1)
                sub(/vs_threads-/, "vs_threads:")
            else
                sub(/-/, ":", $1)
            print
        }' "$scratch/counts" "$scratch/paired"
}

measure() {
    local model entries=() options=(-c -r "$rounds" -s "$seconds")
    for model in "${available[@]}"; do
        entries+=("${model/:/-}=cd '$tree_path' && exec '$treemill' hash -q $(flags_of "$model") .")
        [[ $model != threads:1 ]] || options+=(-b threads-1)
    done
    case $cache in
    cold) options+=(-w 0 -p "$(cold_command "$tree_path")") ;;
    warm) options+=(-w 1 -m -P "'$limit' -T $cpus -a none -r 1 -V path:256K '$tree_path'") ;;
    slow) options+=(-w 1 -m) ;;
    esac
    count_all
    "$paired" "${options[@]}" "${entries[@]}" >"$scratch/paired" || status=1
    finish_table >"$scratch/table"
    column -t -s $'\t' "$scratch/table" 2>/dev/null || cat "$scratch/table"
    [[ -z $output ]] || cp "$scratch/table" "$output/models-$tree-$cache.tsv"
}

status=0
IFS=, read -ra tree_names <<<"$trees"
IFS=, read -ra cache_names <<<"$caches"
for tree in "${tree_names[@]}"; do
    if [[ $tree == slow ]]; then
        mount_slow || continue
        tree_path=$scratch/slow
        cache=slow
        printf '\nslow device, %s ms a read\n' "$latency_ms"
        measure
        unmount
        continue
    fi
    tree_path=$directory/$tree
    for cache in "${cache_names[@]}"; do
        means=
        [[ $cache != cold ]] || means=": $cold_means"
        printf '\n%s, %s%s\n' "$tree" "$cache" "$means"
        measure
    done
done
exit "$status"
