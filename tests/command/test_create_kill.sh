#!/usr/bin/env bash
# create, compress and decompress while their processes are killed: of a program that is killed
# nothing stays under the final name but what is complete; the death of a worker changes no byte.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
with_processes || skip "ThreadSanitizer cannot see what is put in order by another process"
command -v ps >/dev/null || skip "ps is missing: the workers cannot be found"
umask 022

mkdir -p tree/{a,b}/{c,d} results
for name in {1..120}; do
    for directory in tree/{a,b}/{c,d}; do echo "$directory $name" >"$directory/$name"; done
done
seq 1 600000 | head -c 3500001 >tree/b/large
head -c 1500000 /dev/urandom >tree/a/d/random
ln tree/b/large tree/hard
ln -s a tree/soft
"$TREEMILL" create -q want.tar.gz tree
"$TREEMILL" create -q want.tar tree
"$TREEMILL" compress -qr -o want-z tree
(cd want-z && reference tree) >want-z.sums
reference tree >want-plain.sums

processes="--scan=processes:2 --read=processes:2 --compress=processes:2 --write=processes:2"

# The archive, and each file of its own, whatever dies.
rm -rf z p
archives() { # TEXT PLAN OPTIONS: by create
    local suffix
    for suffix in ${suffixes-tar.gz tar}; do
        status=0
        # shellcheck disable=SC2086  # options are words
        TREEMILL_CRASH=$2 timeout 60 "$TREEMILL" create -qf $3 "a.$suffix" tree >out 2>err || status=$?
        check "$suffix, $1" [ "$status$(cat err)" = 0 ]
        check "the bytes of $suffix, $1" cmp -s "a.$suffix" "want.$suffix"
        rm -f "a.$suffix"
    done
}
files() { # TEXT PLAN OPTIONS: by compress and decompress
    status=0
    # shellcheck disable=SC2086  # options are words
    TREEMILL_CRASH=$2 timeout 60 "$TREEMILL" compress -qr $3 -o z tree >out 2>err || status=$?
    check "compress, $1" [ "$status$(cat err)" = 0 ]
    check "the bytes of compress, $1" cmp -s want-z.sums <(cd z && reference tree)
    status=0
    # shellcheck disable=SC2086  # options are words
    (cd z && TREEMILL_CRASH=$2 timeout 60 "$TREEMILL" decompress -qr $3 -o ../p tree) >out 2>err || status=$?
    check "decompress, $1" [ "$status$(cat err)" = 0 ]
    check "the bytes of decompress, $1" cmp -s <(sed '/tree.hard/d' want-plain.sums) \
        <(cd p && reference tree | sed '/tree.hard/d')
    rm -rf z p
}
if TREEMILL_CRASH=no-such-point "$TREEMILL" create -q a.tar tree/soft >out 2>err; then
    left_out "crash points (this build has none)"
    rm -f a.tar
else
    check "no such point, no archive" [ ! -e a.tar ]
    points="put_locked put_word put_linked put_counted put_unlocked take_locked take_word
        take_unlinked take_counted take_unlocked take_asleep take_woken work"
    for point in $points; do
        suffixes=tar.gz archives "crash at $point:2" "$point:2" "$processes"
        suffixes=tar archives "crash at $point:7" "$point:7" "$processes"
        files "crash at $point:4" "$point:4" "$processes"
    done
    archives "several deaths" "put_word:2,take_word:9,work:4,put_linked:12,rebuild:1" \
        "$processes --hash=processes:2 --manifest=m -f"
    for count in 1 3 5 8; do
        archives "crash at work:$count" "work:$count" "--compress=processes:2"
        archives "a writer, crash at work:$count" "work:$count" "--write=processes:2"
        files "crash at work:$count" "work:$count" "--compress=processes:2 --write=processes:2"
    done
    for io in uring epoll; do
        has_model $io || continue
        archives "in flight, $io" in_flight:3 "--write=processes:2,io=$io --read=processes:2,io=$io"
        files "in flight, $io" in_flight:3 "--write=processes:2,io=$io --compress=processes:2,io=$io"
    done

    # What kills a worker twice costs one file, which is named.
    twice() { # STAGE STATUS VERB ARGUMENT...
        status=0
        TREEMILL_CRASH=work:1x2 timeout 60 "$TREEMILL" "${@:3}" >out 2>err || status=$?
        check "twice in $1 of $3" ends "$2" ".*$1: worker killed by signal 9 \(Killed\)"
    }
    twice compress 3 create -q --read=threads:1 "--compress=processes:1" a.tar tree/a/c
    check "the other files are there" [ "$(tar -tf a.tar | wc -l)" -eq 120 ]
    twice compress 3 create -q --read=threads:1 "--compress=processes:1" b.tar tree/b/large
    check "a large file: nothing of it" [ "$(tar -tf b.tar | wc -l)" -eq 0 ]
    twice work 2 create -q "--write=processes:1" c.tar tree/a/c
    check "nothing where a hole would remain" [ ! -e c.tar ]
    twice compress 3 compress -qr --read=threads:1 "--compress=processes:1" -o z tree/a/c
    check "the others are compressed" [ "$(find z -type f | wc -l)" -eq 119 ]
    twice write 3 compress -qr -f "--write=processes:1" -o z tree/a/c
    twice compress 3 compress -q --read=threads:1 "--compress=processes:1" -o z tree/b/large
    check "nothing of a large file" [ ! -e z/tree/b/large.gz ]
    twice decompress 3 decompress -qr --read=threads:1 "--compress=processes:1" -o p z
    check "the others are decompressed" [ "$(find p -type f | wc -l)" -eq 118 ]
    rm -rf a.tar b.tar z p
fi

# Workers killed from outside.
RANDOM=11
killable='scan|read|hash|compress|decompress|write'
# shellcheck source=tests/command/killing.sh
. "$SOURCE/tests/command/killing.sh"
mkdir -p many/sub
for name in {1..1500}; do echo "$name" >"many/$name"; done
cp -r tree many/sub/tree
for name in 1 2 3; do cat tree/b/large tree/b/large tree/b/large >"many/sub/large$name"; done
"$TREEMILL" create -q want-many.tar.gz many
"$TREEMILL" compress -qr -o want-many many
(cd want-many && reference many) >want-many.sums
reference many | sed '/hard/d' >want-many-plain.sums
set -m
for round in 1 2 3 4; do
    # shellcheck disable=SC2086  # options are words
    harass timeout -k 5 120 "$TREEMILL" create -qf $processes many.tar.gz many
    check "create, round $round" [ "$status$(cat err)" = 0 ]
    check "the bytes of create, round $round" cmp -s many.tar.gz want-many.tar.gz
    # shellcheck disable=SC2086  # options are words
    harass timeout -k 5 120 "$TREEMILL" compress -qr $processes -o z many
    check "compress, round $round" [ "$status$(cat err)" = 0 ]
    check "the bytes of compress, round $round" cmp -s want-many.sums <(cd z && reference many)
    cd z || exit
    # shellcheck disable=SC2086  # options are words
    harass timeout -k 5 120 "$TREEMILL" decompress -qr $processes -o ../p many
    cp out err ..
    cd ..
    check "decompress, round $round" [ "$status$(cat err)" = 0 ]
    check "the bytes of decompress, round $round" cmp -s want-many-plain.sums \
        <(cd p && reference many | sed '/hard/d')
    rm -rf z p many.tar.gz
done 2>/dev/null
check "$killed workers could be killed" [ $killed -ge 5 ]

# The whole program killed, at random moments.
for options in "" "$processes" "--read=threads:2 --compress=threads:2 --write=threads:2"; do
    for round in 1 2 3; do
        # shellcheck disable=SC2086  # options are words
        shoot 250 "$TREEMILL" create -q $options results/a.tar.gz many
        [ ! -e results/a.tar.gz ] || check "the archive is complete or none $options" \
            cmp -s results/a.tar.gz want-many.tar.gz
        rm -f results/a.tar.gz
        # shellcheck disable=SC2086  # options are words
        shoot 250 "$TREEMILL" compress -qr $options -o results many
        (cd results && reference many 2>/dev/null) >got
        check "each output is complete or none $options" [ -z "$(LC_ALL=C sort got want-many.sums want-many.sums | uniq -u)" ]
        rm -rf results/many
    done
done 2>/dev/null
set +m

# Temporary files of those that were killed go with the next run.
sleep 0 &
dead=$!
wait $dead
touch "results/.a.tar.treemill-$dead" "results/.b.treemill-$dead" "results/.a.tar.treemill-x"
"$TREEMILL" create -q results/a.tar tree/soft
check "leftovers are swept" [ "$(cd results && echo .[ab]*)" = ".a.tar.treemill-x .b.treemill-$dead" ]
rm results/.a* results/.b*
check "no temporary file is left" [ -z "$(find . -name '.*treemill-*')" ]
finish
