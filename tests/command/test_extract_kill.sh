#!/usr/bin/env bash
# extract while its processes are killed: of a program that is killed nothing stays under a final
# name but what is complete; the death of a worker costs no file, but for scan's, which is said.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
with_processes || skip "ThreadSanitizer cannot see what is put in order by another process"
command -v ps >/dev/null || skip "ps is missing: the workers cannot be found"
umask 022

mkdir -p tree/{a,b}/{c,d}
for name in {1..40}; do
    for directory in tree/{a,b}/{c,d}; do echo "$directory $name" >"$directory/$name"; done
done
seq 1 600000 | head -c 3500001 >tree/b/large
head -c 1500000 /dev/urandom >tree/a/d/random
ln tree/b/large tree/hard
ln -s a tree/soft
for suffix in tar tar.gz zip; do "$TREEMILL" create -q "t.$suffix" tree 2>err; done
tar -czf foreign.tar.gz tree
tar -cf - tree | xz -0 >foreign.tar.xz
archives=(t.tar t.tar.gz t.zip foreign.tar.gz foreign.tar.xz)

clean() {
    chmod -R u+rwx x 2>/dev/null
    rm -rf x
}
# What there is below x is whole.
whole() { # TEXT
    local odd
    odd=$(diff -r --no-dereference tree x/tree 2>&1 | grep -Ev '^Only in (tree|x[^:]*: \..*\.treemill-)|No such file or directory')
    check "what there is is whole, $1" [ -z "$odd" ]
    [ -z "$odd" ] || head -n 3 <<<"$odd"
}

processes="--read=processes:2 --compress=processes:2 --hash=processes:2 --write=processes:2"

# Workers killed at marked points.
crash() { # TEXT PLAN OPTIONS: by the next archive
    local archive=${archives[$((number++ % ${#archives[@]}))]}
    clean
    status=0
    # shellcheck disable=SC2086  # options are words
    TREEMILL_CRASH=$2 timeout 60 "$TREEMILL" extract -q $3 -C x "$archive" >out 2>err || status=$?
    check "$archive, $1" [ "$status$(cat err)" = 0 ]
    check "the tree of $archive, $1" diff -r --no-dereference tree x/tree
}
number=0
if TREEMILL_CRASH=no-such-point "$TREEMILL" extract -q -C x t.tar tree/soft >out 2>err; then
    left_out "crash points (this build has none)"
else
    clean
    for point in put_locked put_word put_linked put_counted put_unlocked take_locked take_word \
        take_unlinked take_counted take_unlocked take_asleep take_woken work; do
        for count in 1 3; do
            crash "crash at $point:$count" "$point:$count" "$processes"
        done
    done
    for count in 1 2 3 5; do
        for _ in "${archives[@]}"; do
            crash "a writer, crash at work:$count" "work:$count" --write=processes:2
        done
        crash "compress, crash at work:$count" "work:$count" --compress=processes:2
    done
    for _ in "${archives[@]}"; do
        crash "several deaths" "put_word:2,take_word:4,work:3,put_linked:5,rebuild:1" \
            "$processes --manifest=x.sums -f"
    done
    for io in uring epoll; do
        has_model $io || continue
        for _ in "${archives[@]}"; do
            crash "in flight, $io" in_flight:2 "--write=processes:2,io=$io --read=processes:2,io=$io"
        done
    done

    # Scan has the archive's order in its memory: its death ends the job, and that is said.
    for archive in "${archives[@]}"; do
        [ "$archive" != t.zip ] || continue # which has no scan
        for count in 1 2; do
            clean
            TREEMILL_CRASH=work:$count timeout 60 "$TREEMILL" extract -q --read=threads:1 --write=threads:1 \
                --scan=processes:1 -C x "$archive" >out 2>err
            status=$?
            if [ "$status" -eq 0 ]; then
                check "scan died before it began, $archive" diff -r --no-dereference tree x/tree
            else
                check "scan dies, $archive" ends 1 "$archive: .*killed.*"
                whole "scan dies, $archive"
            fi
            check "no temporary, $archive" [ -z "$(find x -name '.*treemill-*')" ]
        done
    done

    # What kills a worker twice costs the members that it had.
    clean
    TREEMILL_CRASH=work:1x2 timeout 60 "$TREEMILL" extract -q --write=processes:1 -C x t.tar >out 2>err
    check "a writer that dies twice" [ $? -ne 0 ]
    check "is told of" grep -q 'worker killed by signal 9 (Killed)' err
    whole "a writer that dies twice"
fi

# Workers killed from outside.
RANDOM=11
killable='read|hash|compress|decompress|write'
# shellcheck source=tests/command/killing.sh
. "$SOURCE/tests/command/killing.sh"
for name in {1..600}; do echo "$name" >"tree/a/c/more$name"; done
for name in 1 2 3; do cat tree/b/large tree/b/large >"tree/a/large$name"; done
rm -f "${archives[@]}"
for suffix in tar tar.gz zip; do "$TREEMILL" create -q "t.$suffix" tree 2>err; done
tar -czf foreign.tar.gz tree
archives=(t.tar t.tar.gz t.zip foreign.tar.gz)
set -m
for round in 1 2; do
    for archive in "${archives[@]}"; do
        clean
        # shellcheck disable=SC2086  # options are words
        harass timeout -k 5 120 "$TREEMILL" extract -q $processes -C x "$archive"
        check "$archive, round $round" [ "$status$(cat err)" = 0 ]
        check "the tree of $archive, round $round" diff -r --no-dereference tree x/tree
    done
done 2>/dev/null
check "$killed workers could be killed" [ $killed -ge 3 ]

# The whole program killed, at random moments, and run again.
for options in "" "$processes" "--read=threads:2 --compress=threads:2 --write=threads:2" "--fsync=file"; do
    for _ in 1 2; do
        archive=${archives[$((number++ % ${#archives[@]}))]}
        clean
        # shellcheck disable=SC2086  # options are words
        shoot 200 "$TREEMILL" extract -q $options -C x "$archive"
        whole "$archive $options"
        check "no temporary, for there are files without names, $archive $options" \
            [ -z "$(find x -name '.*treemill-*' 2>/dev/null)" ]
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" extract -q -f $options -C x "$archive"
        check "again, $archive $options" [ "$status$(cat err)" = 0 ]
        check "the tree, again, $archive $options" diff -r --no-dereference tree x/tree
        check "its modes, $archive $options" cmp -s <(cd tree && find . -printf '%P %m\n' | sort) \
            <(cd x/tree && find . -printf '%P %m\n' | sort)
    done
done 2>/dev/null
set +m

# Where files cannot be without names: temporary ones of the dead are swept by the next run.
sleep 0 &
dead=$!
wait $dead
clean
mkdir -p x/tree/b
touch "x/.other.treemill-$dead-7" "x/tree/b/.large.treemill-$dead" "x/tree/b/.large.treemill-x"
run "$TREEMILL" extract -q -C x t.tar
check "leftovers are swept" [ "$(cd x && find . -name '.*treemill-*')" = ./tree/b/.large.treemill-x ]
clean

finish
