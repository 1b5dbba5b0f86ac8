# Helpers for the command tests; a script sources this file and begins with tm_begin.
#
#   tm_begin                 $work: a new directory, the current one; removed at the end
#   skip TEXT                ends the script as skipped, saying why (status 77)
#   left_out TEXT            says what this machine or build cannot show; goes on
#   has PROGRAM              whether it is installed; says so if it is not
#   has_model NAME           whether `treemill info` says that the model is available
#   pass, fail TEXT          count; fail shows what the last command printed
#   check TEXT COMMAND...    passes when the command succeeds
#   run COMMAND...           sets $status, writes $work/out and $work/err; 120 seconds at most
#   expect_status N COMMAND...     run, passes when its status is N
#   ends N PATTERN           the last run had status N and printed exactly one line of messages,
#                            "treemill: PATTERN"
#   summed_up                takes the summary out of the messages; fails if there is not just one
#   assert_same FILE FILE [TEXT]   passes when the contents are equal
#   reference DIRECTORY      what sha256sum says of a tree, in bytewise order of its paths
#   slow_mount DIR OPTION... shows DIR as $work/slow, through the slow device of tests/slowfs; skips
#                            the script where that cannot be (OPTION: see `slowfs --help`)
#   slow_unmount             ends that; tm_cleanup does it, too
#   finish                   prints "N passed, M failed" and ends the script
#
# Options of the models that each test goes through: "${models[@]}"; the first, "", is the default.
# The models of a single stage: "${stage_models[@]}"; with all their counts: "${counted_models[@]}".

# shellcheck shell=bash
# shellcheck disable=SC2034  # the scripts that source this file use these

set -u
passed=0 failed=0 status=0 work="" slow_pid=""
main_process=$BASHPID

model_inline="--scan=inline --read=inline --hash=inline --write=inline"
model_threads="--scan=threads:7 --read=threads:7 --hash=threads:7 --write=threads:7"
model_burst="--read=auto,burst=16" # as a measurement may have it, or not, of the default
model_processes="--scan=processes:2 --read=processes:2 --hash=processes:2 --write=processes:2"

has_model() {
    "$TREEMILL" info | grep -E "^  $1 +[^ ]" | grep -qv "not available"
}

# With a sanitizer, which costs many times as much, a few have to do.
list_models() {
    case ${SANITIZE:-} in
    "")
        models=("" "$model_inline" "$model_threads" "$model_processes")
        ! has_model uring || models+=("$model_burst")
        stage_models=(inline threads:7 processes:2)
        counted_models=(inline {threads,processes}:{1,2,7})
        add_models uring uring:16 processes:2,io=uring
        add_models epoll epoll:16
        has_model uring && counted_models+=(uring:1 uring:16 "uring:64,loops=7" "processes:2,io=uring")
        has_model epoll && counted_models+=(epoll:1 epoll:16 "epoll:64,loops=7" "processes:2,io=epoll")
        return
        ;;
    thread)
        model_processes=$model_threads
        models=("" "$model_threads")
        ! has_model uring || models+=("$model_burst")
        stage_models=(threads:7)
        add_models uring uring:64,loops=7
        add_models epoll epoll:64,loops=7
        ;;
    *)
        models=("" "$model_processes")
        stage_models=(inline threads:2 processes:2)
        add_models uring uring:16
        add_models epoll processes:2,io=epoll
        ;;
    esac
    counted_models=("${stage_models[@]}")
}

# add_models NAME VALUE...: what has a loop, if the model is to be had here
add_models() {
    local name=$1 value
    shift
    has_model "$name" || return 0
    for value in "$@"; do
        models+=("--read=$value")
        stage_models+=("$value")
    done
}

# ThreadSanitizer cannot see what is put in order by another process.
with_processes() {
    [ "${SANITIZE:-}" != thread ]
}

# A script that has something else to undo defines tm_undo.
tm_cleanup() {
    # A subshell that is killed before it has dropped its parent's traps runs this, too.
    [ "$BASHPID" = "$main_process" ] || return
    if declare -F tm_undo >/dev/null; then tm_undo; fi
    slow_unmount
    cd / || return
    # Trees deeper than a path can be are no trouble for find(1).
    chmod -R u+rwx "$work" 2>/dev/null || find "$work" -type d -exec chmod u+rwx {} + 2>/dev/null
    rm -rf "$work"
}

tm_begin() {
    [ -x "${TREEMILL:-}" ] || {
        echo "TREEMILL does not name the program to test"
        exit 1
    }
    work=$(mktemp -d) || exit 1
    trap tm_cleanup EXIT
    chmod 755 "$work"
    cd "$work" || exit 1
    : >out
    : >err
    list_models
}

skip() {
    echo "skipped: $1"
    exit 77
}

left_out() {
    echo "left out: $1"
}

has() {
    command -v "$1" >/dev/null && return 0
    left_out "$1 is not installed"
    return 1
}

pass() {
    passed=$((passed + 1))
}

fail() {
    failed=$((failed + 1))
    echo "FAILED: $1 (status $status)"
    head -n 4 "$work/out" 2>/dev/null | cut -c 1-200 | cat -v
    head -n 6 "$work/err" 2>/dev/null | cut -c 1-300 | cat -v
}

check() {
    local text=$1
    shift
    if "$@"; then pass; else fail "$text"; fi
}

run() {
    status=0
    timeout -k 5 120 "$@" >"$work/out" 2>"$work/err" || status=$?
}

expect_status() {
    local wanted=$1
    shift
    run "$@"
    if [ "$status" -eq "$wanted" ]; then pass; else fail "status $wanted of: ${*:2}"; fi
}

ends() {
    [ "$status" -eq "$1" ] && [ "$(wc -l <"$work/err")" -eq 1 ] &&
        grep -Eqx -- "treemill: $2" "$work/err"
}

summed_up() {
    check "one summary" [ "$(grep -Ec '^treemill: (failed: )?(hashed|checked|archived) [0-9]' "$work/err")" -eq 1 ]
    sed -Ei '/^treemill: (failed: )?(hashed|checked|archived) [0-9]/d' "$work/err"
}

assert_same() {
    if cmp -s -- "$1" "$2"; then
        pass
    else
        fail "${3:-$1 and $2 are the same}"
        diff -- "$1" "$2" | head -n 4 | cut -c 1-200 | cat -v
    fi
}

reference() {
    find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --
}

slow_mount() {
    local directory=$1
    shift
    [ -n "${SLOWFS:-}" ] || skip "no slow device: built without fuse3 (Debian package libfuse3-dev)"
    mkdir -p "$work/slow"
    slow_pid=$("$SLOWFS" "$@" "$directory" "$work/slow" 2>"$work/err") ||
        skip "no slow device: $(tail -n 1 "$work/err")"
}

slow_unmount() {
    local waited=0
    [ -n "${slow_pid:-}" ] || return 0
    kill "$slow_pid"
    while kill -0 "$slow_pid" 2>/dev/null && [ "$waited" -lt 100 ]; do
        waited=$((waited + 1))
        sleep 0.05
    done
    slow_pid=
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
