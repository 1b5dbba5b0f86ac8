#!/usr/bin/env bash
# Workers that die: whatever process of a stage is killed, and wherever it was just then, the
# manifest is the same, byte for byte, and the job ends with success.
set -u
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
    take_counted take_unlocked take_asleep work"
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
    # A death that was planned has happened: the table of stages counts it.
    TREEMILL_CRASH=work:5 timeout 60 "$TREEMILL" hash --stats --json "$processes" tree >out 2>err
fi
