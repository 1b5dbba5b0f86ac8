#!/usr/bin/env bash
# Signals: the job ends soon with 128+N and leaves no file, no temporary and no process behind; a
# status is printed when asked for; workers do not outlive the program.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
set -m # jobs of their own process group, with no signal ignored
command -v ps >/dev/null || skip "ps is missing: the processes of a job cannot be counted"

pid=0
# Hours of work that need no room: holes.
mkdir tree results
truncate -s 900G tree/{a,b,c}-hole
for name in {1..500}; do echo "$name" >"tree/$name"; done
sha256sum tree/1 >first
mkfifo idle

start() { # ARGUMENTS...: hash in the background
    "$TREEMILL" hash "$@" >out 2>err &
    pid=$!
}

members() { # how many processes the job has
    ps -e -o pgid=,stat= | awk -v group="$pid" '$1 == group && $2 !~ /^Z/ {n++} END {print n + 0}'
}

soon() { # SECONDS COMMAND...: the command succeeds within that time, which is long: hangs count
    local tries=$(($1 * 20))
    shift
    while [ "$tries" -gt 0 ]; do
        "$@" && return 0
        sleep 0.05
        tries=$((tries - 1))
    done
    return 1
}

is_gone() {
    [ "$(members)" -eq 0 ]
}

# ended SECONDS: the job ends within that time, all of it; sets status
ended() {
    if ! soon "$1" is_gone; then
        status=running
        kill -KILL -- "-$pid"
        wait "$pid" 2>/dev/null
        return 1
    fi
    status=0
    wait "$pid" 2>/dev/null || status=$?
}

works() { # it has read something: the time of all its processes is more than a moment
    local ticks
    ticks=$(cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^.*) //' |
        awk -v group="$pid" '$3 == group {n += $12 + $13} END {print n + 0}')
    [ "$ticks" -ge 10 ]
}

drained() { # what was written into the pipe 5 has been read
    ! read -r -t 0 -u 5
}

nothing_left() {
    [ -z "$(ls -A results)" ]
}

# interrupt NAME SIGNAL STATUS TARGET: TARGET is the program alone, or - for all its processes
interrupt() {
    kill -s "$2" -- "$4$pid"
    check "$1: ends" ended 60
    check "$1: 128+N" [ "$status" = "$3" ]
    check "$1: no file" nothing_left
    check "$1: silent" [ ! -s err ]
}

for model in "${models[@]}"; do
    for signal in INT:130 TERM:143 HUP:129; do
        # shellcheck disable=SC2086  # options are words
        start -q $model -o results/new tree
        check "works $model" soon 60 works
        # The keys of a terminal reach the workers, too.
        target=
        [ $signal != INT:130 ] || target=-
        interrupt "$signal $model" "${signal%:*}" "${signal#*:}" "$target"
    done
    # Blocked in a read that nothing ends: of a list, of standard input, of a stored list.
    exec 5<>idle
    # shellcheck disable=SC2086  # options are words
    start -q $model --files-from=idle -o results/new
    echo tree/1 >&5
    check "the name is read $model" soon 60 drained
    interrupt "waiting for names $model" TERM 143 ""
    # shellcheck disable=SC2086  # options are words
    start -q $model --files-from=idle
    echo tree/1 >&5
    check "the first result is there $model" soon 60 cmp -s out first
    interrupt "waiting for more names $model" INT 130 ""
    # shellcheck disable=SC2086  # options are words
    start -q $model -o results/new tree/1 - <idle
    echo data >&5
    check "the input is read $model" soon 60 drained
    interrupt "hashing an idle input $model" INT 130 -
    # shellcheck disable=SC2086  # options are words
    "$TREEMILL" verify -q $model - <idle >out 2>err &
    pid=$!
    cat first >&5
    check "the list is read $model" soon 60 drained
    interrupt "verifying by an idle manifest $model" TERM 143 ""
    exec 5>&-
done

# A worker that hangs, as in a dead file system, holds nothing up, and goes with the program.
workers() {
    ps -e -o pgid=,pid= | awk -v group="$pid" '$1 == group && $2 != group {print $2}'
}
# shellcheck disable=SC2086  # options are words
start -q -o results/new $model_processes tree
check "works before it hangs" soon 60 works
# shellcheck disable=SC2046  # numbers
with_processes && kill -STOP $(workers)
interrupt "hanging workers" TERM 143 ""

# A second signal does not wait for what the first one has begun, and takes nothing back.
for model in "${models[@]}"; do
    for signals in "INT INT" "INT TERM" "HUP INT" "TERM USR1 TERM"; do
        # shellcheck disable=SC2086  # options are words
        start -q $model -o results/new tree
        check "works $model" soon 60 works
        case $signals in
        INT*) wanted=130 ;;
        HUP*) wanted=129 ;;
        *) wanted=143 ;;
        esac
        for signal in $signals; do
            kill -s "$signal" "$pid" 2>/dev/null
            sleep 0.15 # sooner, it would be taken for the first one
        done
        check "$signals: ends $model" ended 60
        check "$signals: 128+N $model" [ "$status" = "$wanted" ]
        check "$signals: no file $model" nothing_left
        [[ $signals == *USR1* ]] || check "$signals: silent $model" [ ! -s err ]
    done
done
# shellcheck disable=SC2086  # options are words
start -q -o results/new $model_processes tree
check "works before it hangs again" soon 60 works
# shellcheck disable=SC2046  # numbers
with_processes && kill -STOP $(workers)
kill -INT "$pid"
sleep 0.15
kill -INT "$pid" 2>/dev/null
check "hanging workers, two signals: ends" ended 60
check "hanging workers, two signals: 128+N" [ "$status" = 130 ]
check "hanging workers, two signals: no file" nothing_left

# timeout(1) signals its child, and then its child's group: that is one order, and the job ends in peace.
for number in {1..5}; do
    status=0
    # shellcheck disable=SC2086  # options are words
    timeout -s TERM 1 "$TREEMILL" hash --progress=never $model_threads -o results/new tree >out 2>err || status=$?
    check "timeout $number" [ "$status" -eq 124 ]
    check "timeout $number: its summary" grep -q '^treemill: interrupted: hashed' err
done

# A status when asked for, and on it goes.
lines() { # COUNT: that many lines of messages are there
    [ "$(wc -l <err)" -ge "$1" ]
}
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    start --progress=never $model -o results/new tree
    check "works on $model" soon 60 works
    kill -USR1 "$pid"
    check "a status $model" soon 60 lines 1
    kill -USR1 -- "-$pid"
    check "another one $model" soon 60 lines 2
    check "in one line each $model" [ "$(wc -l <err)" -eq 2 ]
    check "it goes on $model" kill -0 "$pid"
    kill -TERM "$pid"
    check "until it is ended $model" ended 60
    check "a summary says so $model" grep -q 'interrupted' err
    check "no file after that $model" nothing_left
done

# While names are only listed, too.
exec 5<>idle
start --dry-run --files-from=idle
echo tree/1 >&5
check "the dry run reads a name" soon 60 drained
counts() { # what was listed, in the status that is asked for
    kill -USR1 "$pid" && grep -q '^hash: 1/.*1 files' err
}
check "a status of a dry run" soon 60 counts
kill -TERM "$pid"
check "the dry run is ended" ended 60
check "by TERM" [ "$status" -eq 143 ]
exec 5>&-
mkdir -p many
for name in {1..40}; do mkdir -p "many/$name/"{1..100}; done
# (What comes before the job has begun would end it.)
(trap "" USR1 && exec "$TREEMILL" verify --extra=report -C many "$work/first" >out 2>err) &
pid=$!
sleep 0.01
while kill -USR1 "$pid" 2>/dev/null; do sleep 0.002; done
wait "$pid"
status=$?
check "the search for what is extra outlives a status" [ "$status" -eq 1 ]

# Killed without a chance to do anything.
more=("--scan=processes:2" "--hash=processes:4")
[ "${SANITIZE:-}" = thread ] && more=()
for model in "${models[@]}" "${more[@]}"; do
    # shellcheck disable=SC2086  # options are words
    start -q $model -o results/new tree
    check "works to be killed $model" soon 60 works
    kill -KILL "$pid"
    check "no worker is left $model" ended 60
    check "killed $model" [ "$status" -eq 137 ]
    check "no partial file $model" nothing_left
done

# Ignored by the caller, ignored by the program: nohup(1).
trap '' HUP
start -q -o results/new tree
trap - HUP
check "works under nohup" soon 60 works
kill -HUP "$pid"
sleep 0.3
check "HUP is ignored" kill -0 "$pid"
kill -TERM "$pid"
check "TERM is not" ended 60
check "ended by TERM" [ "$status" -eq 143 ]

finish
