#!/usr/bin/env bash
# Workers that die: whatever process of a stage is killed, and wherever it was just then, the
# manifest is the same, byte for byte, and the job ends with success.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
with_processes || skip "ThreadSanitizer cannot see what is put in order by another process"
command -v ps >/dev/null || skip "ps is missing: the workers cannot be found"

same() { # TEXT
    if [ "$status" -eq 0 ] && cmp -s want out && [ ! -s err ]; then pass; else fail "$1"; fi
}

mkdir -p tree/{a,b,c}/{d,e,f} large
for name in {1..150}; do
    for directory in tree/{a,b,c}/{d,e,f}; do echo "$directory $name" >"$directory/$name"; done
done
head -c 3000001 /dev/urandom >tree/b/large
head -c 1500000 /dev/urandom >tree/c/e/large
reference tree >want

# At every marked point, once early, once later, once late.
points="put_locked put_word put_linked put_counted put_unlocked take_locked take_word take_unlinked
    take_counted take_unlocked take_asleep take_woken work"
crash() { # PLAN OPTIONS
    status=0
    # shellcheck disable=SC2086  # options are words
    TREEMILL_CRASH=$1 timeout 60 "$TREEMILL" hash -q $2 tree >out 2>err || status=$?
    same "crash at $1 $2"
}
if TREEMILL_CRASH=no-such-point "$TREEMILL" hash -q tree/a/d/1 >out 2>err; then
    echo "left out: crash points (this build has none)"
else
    for point in $points; do
        for count in 1 5 20; do
            crash "$point:$count" "$model_processes"
        done
        crash "$point:3" "--hash=processes:2"
        crash "$point:7" "$model_processes --block-size=4K"
        crash "$point:2,rebuild:1" "$model_processes" # and once more while the queue is put right
    done
    crash "put_word:2,take_word:9,work:4,put_linked:30" "$model_processes"
    # A verification counts no file twice and misses none.
    for point in $points; do
        status=0
        # shellcheck disable=SC2086  # options are words
        TREEMILL_CRASH=$point:4 timeout 60 "$TREEMILL" verify --progress=never $model_processes want \
            >out 2>err || status=$?
        check "verify, crash at $point" [ "$status" -eq 0 ]
        check "verify, crash at $point: the summary" \
            grep -q "checked $(wc -l <want) files " <(tr -d , <err)
        check "verify, crash at $point: each result once, in order" \
            cmp -s out <(sha256sum -c want 2>/dev/null)
    done
    # The deaths that were planned do happen: the table of stages counts them.
    if command -v jq >/dev/null; then
        for point in $points; do
            # shellcheck disable=SC2086  # options are words
            TREEMILL_CRASH=$point:2 timeout 60 \
                "$TREEMILL" hash --stats --json $model_processes tree >events 2>err
            deaths=$(jq 'select(.event == "summary") | [.stages[].restarts] | add' events)
            if [ "$deaths" = 1 ]; then pass; else fail "$deaths deaths at $point"; fi
        done
    else
        echo "left out: the count of deaths (jq is missing)"
    fi
    # ... and are heard of where the caller ignores SIGCHLD, which programs inherit.
    status=0
    # shellcheck disable=SC2086  # options are words
    TREEMILL_CRASH=work:5 timeout 60 env --ignore-signal=CHLD \
        "$TREEMILL" hash -q $model_processes tree >out 2>err || status=$?
    same "deaths with SIGCHLD ignored"
fi

# Workers killed from outside, whatever they do. Each run takes a second or so of a processor.
for name in {1..24}; do
    truncate -s 20M "large/$name"
    echo "$name" >>"large/$name"
done
cp -r tree large/tree
reference large >want
RANDOM=7
killed=0
# kill_one PROCESS-GROUP: one worker, chosen at random, of those that have their names already
kill_one() {
    local victims
    mapfile -t victims < <(ps -e -o pgid=,pid=,comm= |
        awk -v group="$1" '$1 == group && $3 ~ /^(scan|read|hash|write)-[0-9]+$/ {print $2}')
    [ "${#victims[@]}" -gt 0 ] || return 0
    kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && killed=$((killed + 1))
}
set -m
for options in "$model_processes" "$model_processes" "$model_processes --block-size=64K" \
    "--read=processes:3 --hash=processes:3" "--hash=processes:4" \
    "--scan=processes:2 --hash=processes:2 --write=processes:3"; do
    # shellcheck disable=SC2086  # options are words
    timeout -k 5 120 "$TREEMILL" hash -q $options -o result large 2>err &
    pid=$!
    kills=0
    while [ "$kills" -lt 8 ] && kill -0 $pid 2>/dev/null; do
        sleep "0.0$((RANDOM % 7 + 3))"
        kill_one $pid
        kills=$((kills + 1))
    done
    status=0
    wait $pid 2>/dev/null || status=$?
    mv -f result out 2>/dev/null || : >out
    same "$kills workers killed $options"
done 2>/dev/null
set +m
if [ $killed -ge 5 ]; then pass; else fail "only $killed workers could be killed"; fi

finish
