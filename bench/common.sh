# Shared by the scripts of this directory: sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2154  # quick, output: options of who sources this

bench_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bench_name=$(basename "$0")

# Messages go to standard error, results to standard output.
note() { printf '%s: %s\n' "$bench_name" "$*" >&2; }
die() {
    note "$*"
    exit 2
}

# bench_program NAME [FLAG]...: prints the path of bench_NAME. Taken from BENCH_BIN or the release
# build if it is newer than its sources, else compiled, the flags naming further libraries. Other
# builds may hold sanitizers and are not looked at.
bench_program() {
    local name=$1 candidate directory
    shift
    local sources=("$bench_source"/bench/*.h "$bench_source/bench/$name.c")
    for candidate in ${BENCH_BIN:+"$BENCH_BIN/bench_$name"} \
        "$bench_source/build/release/bench/bench_$name"; do
        if [[ -x $candidate && -z $(find "${sources[@]}" -newer "$candidate") ]]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    directory=${XDG_CACHE_HOME:-$HOME/.cache}/treemill-bench
    candidate=$directory/bench_$name
    mkdir -p "$directory"
    if [[ ! -x $candidate || -n $(find "${sources[@]}" -newer "$candidate") ]]; then
        "${CC:-cc}" -std=gnu17 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I "$bench_source" \
            -o "$candidate.$$" "$bench_source/bench/$name.c" -lcrypto "$@" -pthread >&2 ||
            die "cannot compile bench/$name.c (its Debian packages: bench/README.md)"
        mv -f "$candidate.$$" "$candidate"
    fi
    printf '%s\n' "$candidate"
}

# Prints the path of the treemill to measure: TREEMILL, the release build, PATH. Prints nothing
# when there is none.
find_treemill() {
    if [[ -n ${TREEMILL:-} ]]; then
        [[ -x $TREEMILL ]] || die "TREEMILL=$TREEMILL is not a program"
        realpath "$TREEMILL"
    elif [[ -x $bench_source/build/release/treemill ]]; then
        printf '%s\n' "$bench_source/build/release/treemill"
    else
        command -v treemill || true
    fi
}

# How each cold run begins. Without the right to empty all caches only file data is dropped.
# choose_cold sets $cold_means, then `cold_command TREE` prints the command.
choose_cold() {
    if (echo 1 >/proc/sys/vm/drop_caches) 2>/dev/null; then
        cold_program=
        cold_means="all caches emptied before each run"
    else
        cold_program=$(bench_program trees)
        # shellcheck disable=SC2034  # for those who source this
        cold_means="only file data dropped before each run (emptying all caches is not permitted here)"
    fi
}

cold_command() {
    if [[ -z $cold_program ]]; then
        printf 'sync; echo 3 >/proc/sys/vm/drop_caches'
    else
        printf "sync; '%s' evict '%s'" "$cold_program" "$1"
    fi
}

# Lines that say on what the figures were taken.
describe_machine() {
    local cpu
    cpu=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    printf 'cpus\t%s\n' "$(nproc)"
    printf 'cpu\t%s\n' "${cpu:-unknown}"
    printf 'kernel\t%s\n' "$(uname -sr)"
    printf 'memory_kib\t%s\n' "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
    printf 'file_system\t%s\n' "$(stat -f -c %T "$1")"
    printf 'load\t%s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
}

# make_trees A,B,...: makes these trees below $directory, which is chosen if it is empty. Sets
# directory, and made to what is said of them, which is printed, too.
make_trees() {
    local options=(--only="$1")
    if [[ -z $directory ]]; then
        directory=${TMPDIR:-/tmp}/treemill-bench
        ((quick)) && directory+=-quick
    fi
    ((quick)) && options+=(--quick)
    made=$("$bench_source/bench/trees.sh" "${options[@]}" "$directory")
    printf '%s\n' "$made"
    directory=$(cd "$directory" && pwd)
}

# tell_machine NAME [LINE]...: describes it, lines more following; with $output that is kept there under the name, beside the trees.
tell_machine() {
    local text
    text=$(describe_machine "$directory")
    (($# < 2)) || text+=$(printf '\n%s' "${@:2}")
    printf '%s\n' "$text"
    [[ -n $output ]] || return 0
    mkdir -p "$output"
    printf '%s\n' "$made" "$text" >"$output/$1"
}
