#!/bin/bash
# Checks the queue's model (queue.pml) exhaustively with spin: the model as it is must have no
# error, and every planted fault must be found, in the way it is expected to show.
#
# usage: run.sh [pattern]    only the runs whose name matches the extended regular expression
#
# Environment: JOBS, runs at a time (default: 2). Each may use MEMORY_MB (default: 1024).
# MODEL_LARGE=1 adds the proofs that take longer.
# Exit status: 0 all as expected, 1 not, 77 spin or a C compiler is missing.
set -u
export LC_ALL=C

model=$(cd "$(dirname "$0")" && pwd)/queue.pml
pattern=${1:-.}
JOBS=${JOBS:-2}
export MEMORY_MB=${MEMORY_MB:-1024}

for tool in spin gcc; do
    if ! command -v "$tool" > /dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# name | expected verdict | switches
#   proved     no error, and the whole state space was searched
#   no-cycle   proved, and there is no cycle in it: every schedule ends
#   hang       somebody waits for ever
#   assertion  an assertion of the model fails
runs='
three-items             | proved    | -DDEATHS=2 -DITEMS=3
three-items-more-room   | proved    | -DDEATHS=2 -DITEMS=3 -DCAPACITY_A=2 -DCAPACITY_B=2
cancel-producer-dies    | proved    | -DDEATHS=1 -DITEMS=2 -DCANCEL -DPRODUCER
base                    | proved    | -DDEATHS=2 -DITEMS=2
end-by-send             | proved    | -DDEATHS=2 -DITEMS=2 -DEND_BY_SEND
spurious-wake           | proved    | -DDEATHS=1 -DITEMS=2 -DSPURIOUS=1
producer-dies           | proved    | -DDEATHS=2 -DITEMS=3 -DPRODUCER
cancel                  | proved    | -DDEATHS=0 -DITEMS=2 -DCANCEL
cancel-by-worker        | proved    | -DDEATHS=1 -DITEMS=2 -DCANCEL_BY_WORKER
fine                    | proved    | -DDEATHS=0 -DITEMS=2 -DFINE
fine-death              | proved    | -DDEATHS=1 -DITEMS=1 -DFINE
ends                    | no-cycle  | -DDEATHS=1 -DITEMS=2
ends-producer-dies      | no-cycle  | -DDEATHS=2 -DITEMS=2 -DPRODUCER
wake-before-change      | hang      | -DDEATHS=0 -DFAULT_WAKE_BEFORE_CHANGE
no-change               | hang      | -DDEATHS=0 -DFAULT_NO_CHANGE
read-unlocked           | hang      | -DDEATHS=0 -DFAULT_READ_UNLOCKED
no-recheck              | assertion | -DDEATHS=0 -DFAULT_NO_RECHECK
put-word-unlocked       | assertion | -DDEATHS=0 -DFAULT_PUT_WORD_UNLOCKED
take-word-unlocked      | hang      | -DDEATHS=1 -DFAULT_TAKE_WORD_UNLOCKED
close-wakes-one         | hang      | -DDEATHS=0 -DFAULT_CLOSE_WAKES_ONE
close-forgets-putters   | hang      | -DDEATHS=0 -DFAULT_CLOSE_FORGETS_PUTTERS -DCANCEL
take-ignores-close      | hang      | -DDEATHS=0 -DFAULT_TAKE_IGNORES_CLOSE
no-wake-after-death     | hang      | -DDEATHS=1 -DFAULT_NO_WAKE_AFTER_DEATH
trust-list              | assertion | -DDEATHS=1 -DFAULT_TRUST_LIST
count-not-rebuilt       | hang      | -DDEATHS=1 -DFAULT_COUNT_NOT_REBUILT
sleepers-reset          | hang      | -DDEATHS=1 -DFAULT_SLEEPERS_RESET
not-repaired            | assertion | -DDEATHS=1 -DFAULT_NOT_REPAIRED
respawn-first           | assertion | -DDEATHS=1 -DFAULT_RESPAWN_FIRST
capacity-equal          | assertion | -DDEATHS=2 -DFAULT_CAPACITY_EQUAL -DITEMS=3
requeue-waits           | hang      | -DDEATHS=2 -DFAULT_REQUEUE_WAITS -DITEMS=3
cancel-left-halfway     | hang      | -DDEATHS=1 -DFAULT_CANCEL_LEFT_HALFWAY -DCANCEL_BY_WORKER
'
# Proofs that take longer, for a change of the algorithm.
if [ "${MODEL_LARGE:-}" ]; then
    runs+='
room-in-A               | proved    | -DDEATHS=2 -DITEMS=3 -DCAPACITY_A=2
room-in-B               | proved    | -DDEATHS=2 -DITEMS=3 -DCAPACITY_B=2
cancel-death            | proved    | -DDEATHS=1 -DITEMS=2 -DCANCEL
cancel-by-worker-twice  | proved    | -DDEATHS=2 -DITEMS=2 -DCANCEL_BY_WORKER
'
fi

# check NAME EXPECTED SWITCHES: leaves one line in $work/NAME.verdict, "ok ..." or "FAILED ...".
check()
{
    local name=$1 expected=$2 switches=$3 build=(-O0) search=(-m100000 -w23)
    local verdict states seconds output=pan.out
    mkdir "$work/$name" && cd "$work/$name" || return
    # Optimizing pan takes 7 s, which only the largest searches win back.
    [[ $switches == *DEATHS=2*ITEMS=3* && $switches != *FAULT* && $switches != *PRODUCER* ]] && build=(-O2)
    if [ "$expected" = no-cycle ]; then
        build=(-O0 -DNP)
        search+=(-l)
    else
        build+=(-DSAFETY)
    fi
    # shellcheck disable=SC2086  # switches are several words
    if ! spin $switches -a "$model" > spin.out 2>&1 ||
        ! gcc -w "${build[@]}" -DNOFAIR -DMEMLIM="$MEMORY_MB" -o pan pan.c > gcc.out 2>&1; then
        echo "FAILED $name: does not compile: $(head -n 3 spin.out gcc.out)"
        return
    fi
    # A little more than MEMLIM, which does not count everything: what must not happen is swapping.
    (ulimit -v $(((MEMORY_MB + 256) * 1024)) && ./pan "${search[@]}") > "$output" 2>&1
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$output" | head -n 1)
    seconds=$(sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds/\1/p' "$output")
    if grep -Eq 'max search depth too small|out of memory|reached -DMEMLIM|Search not completed' \
        "$output" && grep -q 'errors: 0' "$output"; then
        verdict=incomplete
    elif grep -q 'errors: 0$' "$output" && [ -n "$states" ]; then
        verdict=$([ "$expected" = no-cycle ] && echo no-cycle || echo proved)
    elif grep -q 'invalid end state' "$output" && grep -q '^pan.*: invalid end state' "$output"; then
        verdict=hang
    elif grep -q '^pan.*: assertion violated' "$output"; then
        verdict=assertion
    elif grep -q '^pan.*: non-progress cycle' "$output"; then
        verdict=cycle
    else
        verdict="no verdict: $(tail -n 3 "$output" | tr '\n' ' ')"
    fi
    local word=ok
    [ "$verdict" = "$expected" ] || word=FAILED
    printf '%-6s %-22s %-10s %12s states %7s s   %s\n' "$word" "$name" "$verdict" \
        "${states:-?}" "${seconds:-?}" \
        "$(sed -n 's/^pan.*: assertion violated \(.*\) (at depth.*/\1/p' "$output")"
    if [ $word = FAILED ]; then
        echo "       expected: $expected; to see the run: spin $switches -a $model, then" \
            "gcc ${build[*]} -o pan pan.c && ./pan ${search[*]} && ./pan -r"
    fi
    rm -f pan pan.c
}
export -f check
export work model

start=$SECONDS
# shellcheck disable=SC2016  # the inner bash expands it
while IFS='|' read -r name expected switches; do
    name=${name// /}
    [[ -n $name && $name =~ $pattern ]] || continue
    printf '%s\0%s\0%s\0' "$name" "${expected// /}" "${switches# }"
done <<< "$runs" |
    xargs -0 -r -n 3 -P "$JOBS" bash -c 'check "$@" > "$work/$1.verdict" 2>&1; cat "$work/$1.verdict"' -

passed=$(cat "$work"/*.verdict 2> /dev/null | grep -c '^ok ')
total=0
while IFS='|' read -r name _; do
    name=${name// /}
    [[ -n $name && $name =~ $pattern ]] && total=$((total + 1))
done <<< "$runs"
echo "$((SECONDS - start)) seconds"
echo "$passed passed, $((total - passed)) failed"
[ "$total" -gt 0 ] && [ "$passed" -eq "$total" ]
