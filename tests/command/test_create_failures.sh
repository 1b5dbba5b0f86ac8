#!/usr/bin/env bash
# create and compress in bad surroundings: reads and writes that go wrong, no room, limits, signals,
# files that change meanwhile, what may not be read or written. One line each, the right status,
# no temporary file, and an archive that tar reads in full, or none.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022
shopt -s extglob

mkdir -p tree/{a,b} results
for name in {1..150}; do echo "$name" >"tree/a/$name"; done
seq 1 600000 | head -c 3500001 >tree/b/large
head -c 1500000 /dev/urandom >tree/b/random
"$TREEMILL" create -q want.tar.gz tree
"$TREEMILL" create -q want.tar tree
"$TREEMILL" compress -qr -o want-z tree
(cd want-z && reference tree) >want-z.sums

nothing_left() { # in results, whatever its name
    [ -z "$(ls -A results)" ]
}

# Reads and writes that come short, are interrupted, say "again": the same bytes.
io_models=("")
for io in uring epoll; do
    ! has_model $io || io_models+=("--read=$io:4 --compress=threads:2 --write=$io:4")
    ! has_model $io || ! with_processes || io_models+=("--read=processes:2,io=$io --write=processes:2,io=$io")
done
if grep -aq TREEMILL_IO_FAULT "$TREEMILL"; then
    for model in "${io_models[@]}" "$model_inline" "$model_threads"; do
        for faults in short:2 eintr:3,again:5 short:7,eintr:5,again:3,cancel:11; do
            for suffix in tar.gz tar; do
                # shellcheck disable=SC2086  # options are words
                run env TREEMILL_IO_FAULT=$faults "$TREEMILL" create -q $model a.$suffix tree
                check "create with $faults $model" [ "$status$(cat err)" = 0 ]
                check "the bytes of $suffix with $faults $model" cmp -s a.$suffix want.$suffix
                rm -f a.$suffix
            done
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" compress -qr $model -o z tree
            check "compress with $faults $model" [ "$status$(cat err)" = 0 ]
            check "the bytes of compress with $faults $model" cmp -s want-z.sums <(cd z && reference tree)
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" decompress -qr ${model/--hash=+([^ ])/} -o results z
            check "decompress with $faults $model" [ "$status$(cat err)" = 0 ]
            check "the bytes of decompress with $faults $model" diff -r tree results/z/tree
            rm -rf z results/z
        done
        for faults in enospc:3 eio:2; do
            case $faults in
            eio*) reason="Input/output error" ;;
            *) reason="No space left on device" ;;
            esac
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" create -q $model results/a.tar tree
            check "create with $faults $model" ends 2 "results/a.tar: write: $reason"
            check "no archive with $faults $model" nothing_left
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" compress -qr $model -o results tree
            check "compress with $faults $model" [ "$status" -eq 2 ]
            check "compress says why with $faults $model" grep -q "write: $reason" err
            rm -rf results/tree
        done
    done
else
    left_out "faults of reads and writes (this build makes none)"
fi

# A file may not become so large. (The signal of that is an error like others.)
limited() { # KIB ARGUMENT...
    # shellcheck disable=SC2016  # the other bash expands it
    run bash -c "ulimit -f $1"' && exec "$TREEMILL" "${@:2}"' bash "$@"
}
head -c 45000000 /dev/zero >zeros
few=("" "$model_inline")
! with_processes || few+=("$model_processes")
for model in "${few[@]}"; do
    # shellcheck disable=SC2086  # options are words
    limited 40000 create -q --memory=30M $model results/a.tar zeros
    check "create, too large $model" ends 2 'results/a.tar: write: File too large'
    check "no archive $model" nothing_left
done
head -c 45000000 /dev/urandom >zeros
for options in "" "--format=zstd"; do
    # shellcheck disable=SC2086  # options are words
    limited 40000 compress -q --memory=30M $options --remove-source -o results zeros
    check "compress, too large $options" ends 2 'zeros: write: File too large'
    check "the source stays, and nothing else $options" [ "$(find zeros results -type f)" = zeros ]
    rm -rf results/*
done
gzip -1 zeros
limited 40000 decompress -q --memory=30M --remove-source -o results zeros.gz
check "decompress, too large" ends 2 'zeros.gz: write: File too large'
check "the compressed one stays, and nothing else" [ "$(find zeros.gz results -type f)" = zeros.gz ]
rm -rf results/* zeros.gz
limited 1 create -q results/a.tar tree
check "a kilobyte" ends 2 'results/a.tar: write: File too large'
check "and nothing is left of it" [ -z "$(ls -A results)" ]
if with_processes; then
    limited 1 create -q --compress=processes:1 results/a.tar tree
    check "not even the memory" ends 2 'memory: File too large'
fi

# Few descriptors: enough, or said so.
for model in "" "$model_threads"; do
    for limit in 16 12 8 5; do
        # shellcheck disable=SC2016,SC2086  # the other bash expands it; options are words
        run bash -c 'exec 3<&- 4<&- 5<&- 6<&- 7<&- && ulimit -n '$limit' && exec "$TREEMILL" "$@"' bash \
            create -q $model results/a.tar tree
        if [ "$status" -eq 0 ]; then
            check "create with $limit descriptors $model" cmp -s results/a.tar want.tar
        else
            check "create with $limit descriptors, said so $model" \
                ends 2 '.*([Tt]oo (many|few) open files).*'
            check "no archive with $limit descriptors $model" nothing_left
            check "16 are enough $model" [ $limit -lt 16 ]
        fi
        rm -rf results/a.tar
        # shellcheck disable=SC2016,SC2086  # the other bash expands it; options are words
        run bash -c 'exec 3<&- 4<&- 5<&- 6<&- 7<&- && ulimit -n '$limit' && exec "$TREEMILL" "$@"' bash \
            compress -qr $model -o results tree
        if [ "$status" -eq 0 ]; then
            check "compress with $limit descriptors $model" cmp -s want-z.sums <(cd results && reference tree)
        else
            check "compress with $limit descriptors, said so $model" \
                grep -Eq '([Tt]oo (many|few) open files)' err
            check "16 are enough for compress $model" [ $limit -lt 16 ]
        fi
        rm -rf results/tree
    done
done

# A full disk.
tm_undo() {
    umount "$work/disk" 2>/dev/null
}
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m tmpfs disk 2>err; then
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" create -q $model disk/a.tar tree
        check "a full disk $model" ends 2 'disk/a.tar: write: No space left on device'
        check "nothing on it $model" [ -z "$(ls -A disk)" ]
    done
    run "$TREEMILL" create -q --manifest=disk/m results/a.tar tree
    check "a manifest has room" [ "$status$(cat err)" = 0 ]
    rm disk/m results/a.tar
    run "$TREEMILL" compress -q -o disk tree/b/random
    check "compress, it fits" [ "$status$(cat err)" = 0 ]
    run "$TREEMILL" compress -qf --remove-source -o disk tree/b/random
    check "compress, a full disk" ends 2 'tree/b/random: (create|write): No space left on device'
    check "what was there stays, and so does the source" \
        cmp -s tree/b/random <(gzip -dc disk/tree/b/random.gz)
    check "and no temporary" [ -z "$(find disk -name '.*treemill-*')" ]
    umount disk
else
    left_out "a full disk (no right to mount)"
fi
run "$TREEMILL" create -q --format=tar.gz /dev/full tree
check "a full device" ends 2 '/dev/full: write: No space left on device'

# Signals.
seq 1 5000000 | head -c 30000000 >big
mkdir several
for name in {1..40}; do tail -c "${name}00000" big | head -c 900000 >"several/$name"; done
mkfifo idle
exec 5<>idle
interrupted() { # SIGNAL STATUS COMMAND...
    "${@:3}" >out 2>err &
    pid=$!
    sleep 0.4
    kill -s "$1" $pid
    status=0
    wait $pid || status=$?
    check "$1 ends ${*:4}" [ "$status" -eq "$2" ]
    check "$1, silent: ${*:4}" [ ! -s err ]
    check "$1, no temporary: ${*:4}" [ -z "$(find results -name '.*treemill-*')" ]
}
set -m
for model in "" "$model_threads" "$model_processes"; do
    for signal in INT:130 TERM:143; do
        # shellcheck disable=SC2086  # options are words
        interrupted ${signal%:*} ${signal#*:} "$TREEMILL" create -q -T 2 -12 $model results/a.tar.gz big several
        check "no archive, $signal $model" nothing_left
        # shellcheck disable=SC2086  # options are words
        interrupted ${signal%:*} ${signal#*:} "$TREEMILL" compress -q -T 2 -12 $model -o results big
        check "no output, $signal $model" [ -z "$(find results -type f)" ]
        rm -rf results/*
        # shellcheck disable=SC2086  # options are words
        interrupted ${signal%:*} ${signal#*:} "$TREEMILL" compress -qr -T 2 -12 $model -o results several
        check "whole outputs only, $signal $model" find results -type f -exec gzip -t {} +
        rm -rf results/*
        # shellcheck disable=SC2086  # options are words
        interrupted ${signal%:*} ${signal#*:} "$TREEMILL" create -q $model --files-from=idle results/a.tar
        check "no archive of an idle list, $signal $model" nothing_left
    done
done
set +m
exec 5>&-
rm -rf several big idle

# Files that change while they are archived.
in_full() { # the archive that was just made, or none
    tar -tf results/a.tar >list 2>tar-err && [ ! -s tar-err ]
}
busy_until() { # COMMAND...: again until something has changed under it
    local tries=0
    run "$@"
    while [ "$status" -eq 0 ] && [ $tries -lt 50 ]; do
        rm -f results/*
        tries=$((tries + 1))
        run "$@"
    done
}
mkdir moving
head -c 30000000 /dev/zero >moving/large
echo last >moving/z
for motion in 'echo more >>moving/large' 'truncate -s 20000000 moving/large; truncate -s 30000000 moving/large' \
    'touch moving/large'; do
    touch run
    (while [ -e run ]; do eval "$motion"; done) &
    for model in "" "$model_inline" "$model_processes" "--read=threads:2 --compress=threads:2"; do
        # shellcheck disable=SC2086  # options are words
        busy_until "$TREEMILL" create -q --on-change=warn $model results/a.tar moving
        check "$motion $model" ends 3 'moving/large: (changed while being read|read: file changed while being read)'
        check "tar reads all of it, $motion $model" in_full
        check "the others are there, $motion $model" grep -qx moving/z list
        rm -f results/*
        # shellcheck disable=SC2086  # options are words
        busy_until "$TREEMILL" create -q --on-change=fail $model results/a.tar moving
        check "fail, $motion $model" ends 2 'moving/large: read: file changed while being read'
        check "no archive, fail, $motion $model" nothing_left
    done
    # shellcheck disable=SC2086  # options are words
    busy_until "$TREEMILL" compress -q --on-change=fail -o results moving/large
    check "compress, fail, $motion" ends 3 'moving/large: read: file changed while being read'
    check "compress, no output, $motion" [ -z "$(find results -type f)" ]
    rm -rf run results/*
    wait
done
# Another one takes its place: what was opened is read.
echo new >replacement
touch run
(while [ -e run ]; do cp replacement new && mv new moving/small; done) &
for round in 1 2 3 4 5; do
    run "$TREEMILL" create -q results/a.tar moving
    check "a file that is replaced, round $round" [ $((status % 3)) -eq 0 ]
    check "tar reads all of it, round $round" in_full
    rm results/a.tar
done
rm run && wait
rm -r moving

# The output inside the input.
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" create -q $model --manifest=tree/m tree/inside.tar tree
    check "inside $model" [ "$status" -eq 0 ]
    check "it holds neither itself nor its manifest $model" \
        [ "$(tar -tf tree/inside.tar | grep -Ec 'inside|treemill|tree/m$')" -eq 0 ]
    check "but the rest $model" [ "$(tar -tf tree/inside.tar | wc -l)" -eq "$(tar -tf want.tar | wc -l)" ]
    rm tree/inside.tar tree/m
done
run "$TREEMILL" compress -qr -o tree/o tree
check "compress below its input" [ "$status$(cat err)" = 0 ]
check "nothing twice" [ "$(find tree/o -name '*.gz.gz' | wc -l)" -eq 0 ]
rm -r tree/o

# What may not be read, where nothing may be written: as somebody else, if root may do everything.
user=("$TREEMILL")
if [ "$(id -u)" -eq 0 ]; then
    install -m 755 "$TREEMILL" program
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program")
fi
chmod 1777 results
chmod 000 tree/a/7 tree/b/large
mkdir tree/shut
chmod 000 tree/shut
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "${user[@]}" create -q $model results/a.tar tree
    check "unreadable files $model" [ "$status" -eq 3 ]
    check "a line each $model" diff - <(LC_ALL=C sort err) <<END
treemill: tree/a/7: open: Permission denied
treemill: tree/b/large: open: Permission denied
treemill: tree/shut: list: Permission denied
END
    check "tar reads the rest $model" in_full
    check "they are left out $model" [ "$(grep -Ecx 'tree/a/7|tree/b/large' list)" -eq 0 ]
    check "the rest $model" [ "$(grep -c . list)" -eq $(($(tar -tf want.tar | wc -l) - 2)) ]
    rm -f results/a.tar
done
chmod 644 tree/a/7 tree/b/large
chmod 755 tree/shut
chmod 555 results
run "${user[@]}" create -q results/a.tar tree
check "a directory that is not writable" ends 2 'results/a.tar: create: Permission denied'
run "${user[@]}" create -q no/such/a.tar tree
check "a directory that is missing" ends 2 'no/such/a.tar: create: No such file or directory'
mkdir results.tar
run "${user[@]}" create -q results.tar tree
check "a directory in its place" ends 2 'results.tar: create: Is a directory'
chmod 755 results
check "no temporary file is left" [ -z "$(find . -name '.*treemill-*')" ]
finish
