#!/bin/bash
# What the progress bar costs: the same job with and without it, in turn. See bench/README.md.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    cat <<END
usage: bench/progress.sh [OPTION]... [DIR]

DIR: where the trees are made (see bench/trees.sh).
  --rounds=N        timed rounds a table (15)
  --seconds=S       begin no further round of a table that would end after S seconds (300)
  --trees=A,B,...   of source, small, large (all); warm
  --times=N         so often is each tree hashed in one job (4), that it lasts for some seconds
  --limit=PERCENT   exit 1 if the bar costs more than that in the middle of all tables
  --output=DIR      keep the tables there as progress-TREE.tsv, beside progress-machine.tsv
  --quick           for checks of the benchmark itself: little trees, one round; no times
Each command runs in a terminal of script(1). Two times two commands: without the bar (never), with
it (bar), and both with --scan-first (first-never, first-bar). The bar alone is the difference of
the last two; between the first two there is also the count of the files that runs beside the work,
so that the bar knows the total. A second run of never (again) shows what is chance, and events are
written to a descriptor in place of a bar. The program measured is \$TREEMILL, else
build/release/treemill, else the one in PATH.
END
}

directory=
rounds=15
seconds=300
trees=source,small,large
times=4
limit=
output=
quick=0
for argument; do
    case $argument in
    --rounds=*) rounds=${argument#*=} ;;
    --seconds=*) seconds=${argument#*=} ;;
    --trees=*) trees=${argument#*=} ;;
    --times=*) times=${argument#*=} ;;
    --limit=*) limit=${argument#*=} ;;
    --output=*) output=${argument#*=} ;;
    --quick) quick=1 rounds=1 times=40 ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]*$ && $times =~ ^[1-9][0-9]*$ && $seconds =~ ^[0-9]+$ ]] ||
    die "--rounds, --times and --seconds take numbers"

treemill=$(find_treemill)
[[ -n $treemill ]] || die "no treemill found: set TREEMILL"
command -v script >/dev/null || die "script is missing (Debian package bsdutils)"
paired=$(bench_program paired)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make_trees "$trees"
tell_machine progress-machine.tsv

# in_terminal OPTION...: the command, in a terminal of 80 columns whose output goes nowhere.
in_terminal() {
    local operands=
    for ((i = 0; i < times; i++)); do operands+=" ."; done
    printf "cd '%s' && TERM=xterm script -qefc \"stty cols 80 rows 24; exec '%s' hash -o /dev/null -f %s%s 9>/dev/null\" /dev/null </dev/null" \
        "$directory/$tree" "$treemill" "$*" "$operands"
}

# Whether there is a bar in the one, and none in the other.
tree=${trees%%,*}
for option in always never; do
    sh -c "$(in_terminal --progress=$option)" >"$scratch/$option"
done
grep -q 'ETA' "$scratch/always" || die "the bar is not drawn"
grep -q 'ETA' "$scratch/never" && die "a bar is drawn that nobody wanted"

# thread_times: runs the job with its bar once; prints what part of its duration the threads
# "progress" and "count" were on a CPU, by the kernel's account. Unlike the durations of whole jobs
# these do not depend on what else the machine is doing.
thread_times() {
    local start pid="" now progress=0 count=0 thread name
    start=$(date +%s%N)
    sh -c "$(in_terminal --progress=always)" >/dev/null &
    local runner=$!
    while kill -0 "$runner" 2>/dev/null; do
        [[ -n $pid ]] || pid=$(pgrep -f "^$treemill hash -o /dev/null" | head -n 1) || true
        now=$(date +%s%N)
        for thread in /proc/"${pid:-none}"/task/*; do
            name=$(cat "$thread/comm" 2>/dev/null) || continue
            case $name in
            progress) progress=$(cut -d' ' -f1 "$thread/schedstat" 2>/dev/null) || true ;;
            count) count=$(cut -d' ' -f1 "$thread/schedstat" 2>/dev/null) || true ;;
            esac
        done
        sleep 0.05
    done
    wait "$runner"
    awk -v start="$start" -v now="$now" -v progress="${progress:-0}" -v count="${count:-0}" 'BEGIN {
        lasted = now - start
        printf "thread_share\tprogress %.3f %%\tcount %.3f %%\tof %.2f s\n", progress * 100 / lasted,
            count * 100 / lasted, lasted / 1e9
    }'
}

failed=0
: >"$scratch/ratios"
IFS=, read -ra wanted <<<"$trees"
for tree in "${wanted[@]}"; do
    printf '\n# %s, %d times a job\n' "$tree" "$times"
    "$paired" -r "$rounds" -s "$seconds" -b never -b first-never \
        "never=$(in_terminal --progress=never)" \
        "bar=$(in_terminal --progress=always)" \
        "again=$(in_terminal --progress=never)" \
        "first-never=$(in_terminal --scan-first --progress=never)" \
        "first-bar=$(in_terminal --scan-first --progress=always)" \
        "events=$(in_terminal --progress=never --progress-fd=9)" >"$scratch/table" || failed=1
    cat "$scratch/table"
    thread_times
    [[ -z $output ]] || cp "$scratch/table" "$output/progress-$tree.tsv"
    awk -F'\t' -v tree="$tree" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        $1 == "first-bar" { print "alone", $column["vs_first-never"] }
        $1 == "bar" { print "counted", $column["vs_never"] }
        $1 == "again" { print "chance", $column["vs_never"] }' "$scratch/table" >>"$scratch/ratios"
done
((failed == 0)) || die "a command failed"

# middle KIND: of the tables, in percent more.
middle() {
    awk -v kind="$1" '$1 == kind { print $2 }' "$scratch/ratios" | sort -n | awk '
        { ratio[NR] = $1 }
        END {
            at = int((NR + 1) / 2)
            print ((NR % 2 ? ratio[at] : (ratio[at] + ratio[at + 1]) / 2) - 1) * 100
        }'
}
printf '\nthe bar alone\t%+.2f %%\nthe bar and the count beside\t%+.2f %%\nno change at all\t%+.2f %%\n' \
    "$(middle alone)" "$(middle counted)" "$(middle chance)"
[[ -z $limit ]] || awk -v cost="$(middle alone)" -v limit="$limit" 'BEGIN { exit cost > limit }'
