#!/usr/bin/env bash
# Workers that die: whatever process of a stage is killed, and wherever it was just then, the
# manifest is the same, byte for byte, and the job ends with success.
set -u
if [ "${SANITIZE:-}" = thread ]; then
    echo "skipped: ThreadSanitizer cannot see what is put in order by another process"
    exit 77
fi
work=$(mktemp -d) || exit 1
trap 'cd / && rm -rf "$work"' EXIT
passed=0 failed=0
command -v ps >/dev/null || {
    echo "ps is missing: the workers cannot be found"
    exit 77
}
cd "$work" || exit 1

ok() {
    passed=$((passed + 1))
}

bad() { # TEXT
    failed=$((failed + 1))
    echo "FAILED: $1 (status $status)"
    diff want out | head -n 4
    head -n 4 err
}

same() { # TEXT
    if [ "$status" -eq 0 ] && cmp -s want out && [ ! -s err ]; then ok; else bad "$1"; fi
}

status=0
processes="--scan=processes:2 --read=processes:2 --hash=processes:2 --write=processes:2"

mkdir -p tree/{a,b,c}/{d,e,f} large
for name in {1..150}; do
    for directory in tree/{a,b,c}/{d,e,f}; do echo "$directory $name" >"$directory/$name"; done
done
head -c 3000001 /dev/urandom >tree/b/large
head -c 1500000 /dev/urandom >tree/c/e/large
manifest() { # DIRECTORY
    find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}
manifest tree >want

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
            crash "$point:$count" "$processes"
        done
        crash "$point:3" "--hash=processes:2"
        crash "$point:7" "$processes --block-size=4K"
        crash "$point:2,rebuild:1" "$processes" # and once more while the queue is put right
    done
    crash "put_word:2,take_word:9,work:4,put_linked:30" "$processes"
    # The deaths that were planned do happen: the table of stages counts them.
    if command -v jq >/dev/null; then
        for point in $points; do
            # shellcheck disable=SC2086  # options are words
            TREEMILL_CRASH=$point:2 timeout 60 "$TREEMILL" hash --stats --json $processes tree \
                >events 2>err
            deaths=$(jq 'select(.event == "summary") | [.stages[].restarts] | add' events)
            if [ "$deaths" = 1 ]; then ok; else bad "$deaths deaths at $point"; fi
        done
    else
        echo "left out: the count of deaths (jq is missing)"
    fi
    # ... and are heard of where the caller ignores SIGCHLD, which programs inherit.
    status=0
    # shellcheck disable=SC2086  # options are words
    TREEMILL_CRASH=work:5 timeout 60 env --ignore-signal=CHLD "$TREEMILL" hash -q $processes tree \
        >out 2>err || status=$?
    same "deaths with SIGCHLD ignored"
fi

# Workers killed from outside, whatever they do. Each run takes a second or so of a processor.
for name in {1..24}; do
    truncate -s 20M "large/$name"
    echo "$name" >>"large/$name"
done
cp -r tree large/tree
manifest large >want
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
for options in "$processes" "$processes" "$processes --block-size=64K" \
    "--read=processes:3 --hash=processes:3" "--hash=processes:4" "--scan=processes:2 --hash=processes:2 --write=processes:3"; do
    # shellcheck disable=SC2086  # options are words
    "$TREEMILL" hash -q $options -o result large 2>err &
    pid=$!
    kills=0
    while [ "$kills" -lt 8 ] && kill -0 $pid 2>/dev/null; do
        sleep "0.0$((RANDOM % 7 + 3))"
        kill_one $pid
        kills=$((kills + 1))
    done
    (sleep 60 && kill -KILL "-$pid") 2>/dev/null &
    guard=$!
    status=0
    wait $pid 2>/dev/null || status=$?
    kill -- "-$guard" && wait $guard
    mv -f result out 2>/dev/null || : >out
    same "$kills workers killed $options"
done 2>/dev/null
set +m
if [ $killed -ge 5 ]; then ok; else bad "only $killed workers could be killed"; fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
