#!/bin/bash
# Peak memory of `treemill hash` on the benchmarks' trees, and on many files against very many.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<END
usage: bench/memory.sh [OPTION]... [DIR]

Prints for each tree and each model: seconds, KiB of the largest process (ru_maxrss), and KiB of
all processes together (proportional set sizes, sampled every 5 ms).

  --few=N --many=N    files of the two trees that are compared (200,000 and 2,000,000)
  --models=A,B,...    of auto, threads, processes (all): how the stages are run
  --command=COMMAND   measure this in each tree instead of treemill
  --limit=MIB         exit 1 if a largest process is above this, or if it grows by more than an
                      eighth from the few files to the many
  --quick             little trees
END
}

directory=
few=
many=
models=auto,threads,processes
command=
limit_mib=0
quick=0
for argument; do
    case $argument in
    --few=*) few=${argument#*=} ;;
    --many=*) many=${argument#*=} ;;
    --models=*) models=${argument#*=} ;;
    --command=*) command=${argument#*=} ;;
    --limit=*) limit_mib=${argument#*=} ;;
    --quick) quick=1 ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
few=${few:-$((quick ? 2000 : 200000))}
many=${many:-$((quick ? 20000 : 2000000))}
[[ $few$many$limit_mib =~ ^[0-9]+$ ]] || die "--few, --many and --limit take numbers"

paired=$(bench_program paired)
cpus=$(nproc)
if [[ -z $directory ]]; then
    directory=${TMPDIR:-/tmp}/treemill-bench
    ((quick)) && directory+=-quick
fi
tree_options=("$directory")
((quick)) && tree_options+=(--quick)
"$bench_source/bench/trees.sh" "${tree_options[@]}"
# The two that are compared differ in their number of files alone. A few bytes a file: the time
# goes into names, which is what memory might grow with.
for files in "$few" "$many"; do
    "$bench_source/bench/trees.sh" "${tree_options[@]}" --only=small \
        --small-files="$files" --small-max=32
done
directory=$(cd "$directory" && pwd)
trees=(source small large "small-$few-32" "small-$many-32")

declare -A commands
if [[ -n $command ]]; then
    commands[command]=$command
else
    treemill=$(find_treemill)
    [[ -n $treemill ]] || die "no treemill found: set TREEMILL or give --command"
    commands[auto]="'$treemill' hash -q ."
    commands[threads]="'$treemill' hash -q --read=threads:$cpus --hash=threads:$cpus ."
    commands[processes]="'$treemill' hash -q --read=processes:$cpus --hash=processes:$cpus ."
fi

names=()
IFS=, read -ra wanted <<<"$models"
[[ -z $command ]] || wanted=(command)
for model in "${wanted[@]}"; do
    [[ -n ${commands[$model]:-} ]] || die "--models=$model: auto, threads or processes"
    names+=("$model")
done

table=$(mktemp)
trap 'rm -f "$table" "$table.all"' EXIT
printf 'tree\tmodel\tseconds\tlargest_process_kib\ttogether_kib\n'
for tree in "${trees[@]}"; do
    entries=()
    for model in "${names[@]}"; do
        entries+=("$model=cd '$directory/$tree' && ${commands[$model]}")
    done
    # The warm-up is where memory is sampled; the timed round gives the seconds.
    "$paired" -m -w 1 -r 1 -k 1800 "${entries[@]}" >"$table" || true
    tail -n +2 "$table" | awk -F'\t' -v tree="$tree" -v OFS='\t' '{ print tree, $1, $3, $8, $9 }'
done | tee "$table.all"

# Growth and limit, over all models. A model that failed has '-' for its memory.
awk -F'\t' -v few="small-$few-32" -v many="small-$many-32" -v limit="$limit_mib" '
    $4 == "-" { bad = 1 }
    $4 + 0 > peak { peak = $4 + 0 }
    $1 == few { at_few[$2] = $4 }
    $1 == many && at_few[$2] > 0 {
        growth = $4 / at_few[$2]
        printf "growth\t%s\t%.3f\t%s to %s\n", $2, growth, few, many
        if (growth > 1.125) grown = 1
    }
    END {
        printf "peak\t%.1f MiB\n", peak / 1024
        exit bad || (limit > 0 && (peak > limit * 1024 || grown))
    }' "$table.all"
