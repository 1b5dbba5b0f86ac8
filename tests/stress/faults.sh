#!/usr/bin/env bash
# Each fault seeded into the queue must be found, or the stress is worth nothing: by queue_races,
# which plays the moves on purpose, and by queue_stress, at random. The unmodified queue, as the
# control, must pass both.
# Usage: faults.sh DIRECTORY-OF-PROGRAMS
#
# Found means that the program itself reported a loss, a doubling or a hang (status 1), or that the
# queue's own assertion failed (134, SIGABRT). Any other ending, as by the limit of time of this
# script, proves nothing and is an error. The random stress may miss a fault once: it has another
# three attempts, with other seeds.
set -u
cd "$1" || exit 1
found=0 missed=0

# attempt PROGRAM FAULT [ARGUMENT...]: sets outcome to found, none or "broken (status N)"
attempt() {
    local program=$1_fault_$2 status=0
    shift 2
    timeout 200 "./$program" "$@" >/dev/null 2>"$messages" || status=$?
    case $status in
    0) outcome=none ;;
    1 | 134) outcome=found ;;
    *) outcome="broken (status $status)" ;;
    esac
}

expect() { # OUTCOME TEXT
    if [ "$outcome" = "$1" ]; then
        found=$((found + 1))
    else
        missed=$((missed + 1))
        echo "FAILED: $2: $outcome"
        head -n 3 "$messages"
    fi
}

messages=$(mktemp) || exit 1
trap 'rm -f "$messages"' EXIT
attempt queue_races 0
expect none "queue_races of the unmodified queue"
attempt queue_stress 0 300000 1 200
expect none "queue_stress of the unmodified queue"
for fault in 1 2 3 4 5 6 7 8 9 10 11; do
    attempt queue_races "$fault"
    expect found "queue_races of fault $fault"
    # Two seconds without a move count as a hang here. queue_races has already proved the fault
    # without a clock; and the control above waits longer.
    export WATCHDOG_SECONDS=2
    for seed in 1 2 3 4; do
        attempt queue_stress "$fault" 1000000 "$seed" 200
        [ "$outcome" = none ] || break
        echo "fault $fault: not met by queue_stress with seed $seed"
    done
    unset WATCHDOG_SECONDS
    expect found "queue_stress of fault $fault"
done
echo "$found passed, $missed failed"
[ "$missed" -eq 0 ]
