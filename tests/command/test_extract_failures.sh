#!/usr/bin/env bash
# treemill extract when something is in the way: reads and writes that come short or fail, disks
# that are full, targets that may not be written, limits, signals. What there is is whole.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022
shopt -s extglob

mkdir -p tree/{a,b}/{c,d} tree/shut
for name in {1..40}; do
    for directory in tree/{a,b}/{c,d}; do echo "$directory $name" >"$directory/$name"; done
done
seq 1 600000 | head -c 3500001 >tree/b/large
head -c 1200000 /dev/urandom >tree/a/random
truncate -s 2M tree/b/sparse
echo end >>tree/b/sparse
ln tree/b/large tree/hard
ln -s a tree/soft
chmod 555 tree/shut tree/b/d
for suffix in tar tar.gz zip; do "$TREEMILL" create -q "t.$suffix" tree 2>err; done
tar -czf foreign.tar.gz tree
archives=(t.tar t.tar.gz foreign.tar.gz t.zip)

clean() {
    chmod -R u+rwx x 2>/dev/null
    rm -rf x
}
# Of what is below x/tree each file is whole, no temporary is left, and its owner can get into every
# directory.
whole() { # TEXT
    local odd
    odd=$(cd "${2:-x}" 2>/dev/null && find . -name '*.treemill-*' 2>&1)
    check "no temporary, $1" [ -z "$odd" ]
    odd=$(cd "${2:-x}" 2>/dev/null && find tree -type d ! -perm -500 2>/dev/null)
    check "directories can be used, $1" [ -z "$odd" ]
    odd=$(diff -r --no-dereference tree "${2:-x}/tree" 2>&1 | grep -Ev '^Only in tree|No such file or directory')
    check "what there is is whole, $1" [ -z "$odd" ]
}

# Reads and writes that come short, are interrupted, say "again": the same tree.
io_models=("")
for io in uring epoll; do
    ! has_model $io || io_models+=("--read=$io:4 --compress=threads:2 --write=$io:4")
    ! has_model $io || ! with_processes || io_models+=("--read=processes:2,io=$io --write=processes:2,io=$io")
done
if grep -aq TREEMILL_IO_FAULT "$TREEMILL"; then
    number=0
    for model in "${io_models[@]}" "$model_inline" "$model_threads"; do
        for faults in short:2 eintr:3,again:5 short:7,eintr:5,again:3,cancel:11; do
            archive=${archives[$((number++ % 4))]}
            clean
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" extract -q -C x $model "$archive"
            check "$archive with $faults $model" [ "$status$(cat err)" = 0 ]
            check "the tree of $archive with $faults $model" diff -r --no-dereference tree x/tree
        done
        for faults in enospc:3 eio:2 enospc:1 eio:9; do
            archive=${archives[$((number++ % 4))]}
            case $faults in
            eio*) reason="Input/output error" ;;
            *) reason="No space left on device" ;;
            esac
            clean
            # shellcheck disable=SC2086  # options are words
            run env TREEMILL_IO_FAULT=$faults "$TREEMILL" extract -q -C x $model "$archive"
            check "$archive with $faults $model" ends 2 "tree/[^ ]*: write: $reason"
            whole "$archive with $faults $model"
        done
    done
else
    left_out "faults of reads and writes (this build makes none)"
fi

# A full disk.
tm_undo() {
    umount "$work/disk" 2>/dev/null
}
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=3m tmpfs disk 2>err; then
    for model in "${models[@]}"; do
        for archive in "${archives[@]}"; do
            # shellcheck disable=SC2086  # options are words
            run "$TREEMILL" extract -q $model -C disk/x "$archive"
            check "$archive on a full disk $model" ends 2 'tree/[^ ]*: write: No space left on device'
            whole "$archive on a full disk $model" disk/x
            chmod -R u+rwx disk/x
            rm -rf disk/x
        done
    done
    run "$TREEMILL" extract -q -C disk/x t.tar tree/a/c
    check "a part has room" [ "$status$(cat err)" = 0 ]
    umount disk
    # No more names.
    mount -t tmpfs -o size=30m,nr_inodes=60 tmpfs disk
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" extract -q $model -C disk/x t.tar
        check "no more inodes $model" ends 2 'tree/[^ ]*: write: No space left on device'
        whole "no more inodes $model" disk/x
        chmod -R u+rwx disk/x
        rm -rf disk/x
    done
    umount disk
    # Read-only.
    mount -t tmpfs tmpfs disk
    mkdir disk/x
    mount -o remount,ro disk
    run "$TREEMILL" extract -q -C disk/x t.tar
    check "read-only" ends 2 'tree(/[^ ]*)?: write: Read-only file system'
    run "$TREEMILL" extract -q -C disk/y t.tar
    check "a target that cannot be made" ends 2 'disk/y: (open|create): Read-only file system'
    umount disk
else
    left_out "a full disk (no right to mount)"
fi

# As somebody else, if root may do everything.
user=("$TREEMILL")
if [ "$(id -u)" -eq 0 ]; then
    install -m 755 "$TREEMILL" program
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program")
fi
as_user() { # ARGUMENT...: makes below x
    run "${user[@]}" extract -q -C x "$@"
}
clean
mkdir x
chmod 555 x
as_user t.tar
check "a target that is not writable" [ "$status" -eq 3 ]
check "it says so" grep -qx 'treemill: tree: create: Permission denied' err
check "nothing is made" [ -z "$(ls -A x)" ]
chmod 777 x
for archive in "${archives[@]}"; do
    as_user "$archive"
    check "a user's extraction of $archive" [ "$status$(cat err)" = 0 ]
    check "a user's tree of $archive" diff -r --no-dereference tree x/tree
    check "modes of directories of $archive" [ "$(stat -c %a x/tree/shut x/tree/b/d | tr '\n' ' ')" = "555 555 " ]
    # Again, where directories may not be written: nothing changes.
    as_user "$archive"
    check "again: all exist, $archive" [ "$status" -eq 3 ]
    check "again: no line more than names, $archive" [ "$(sort err | uniq -d | wc -l)" -eq 0 ]
    check "a user's tree of $archive, still" diff -r --no-dereference tree x/tree
    as_user -f "$archive"
    check "replaced, where that may be, $archive" [ "$status" -eq 3 ]
    check "but for what may not, $archive" [ "$(grep -vc '^treemill: tree/b/d/[0-9]*: [a-z]*: Permission denied' err)" -eq 0 ]
    check "a user's tree of $archive, the same" diff -r --no-dereference tree x/tree
    clean
    mkdir x
    chmod 777 x
done
clean
# A directory in the archive that its owner may not enter, with files in it.
if [ "$(id -u)" -eq 0 ]; then
    mkdir -p locked/in
    echo a >locked/a
    echo b >locked/in/b
    chmod 000 locked/in locked
    tar -cf locked.tar locked
    mkdir x
    chmod 777 x
    as_user -p locked.tar
    check "locked directories" [ "$status$(cat err)" = 0 ]
    check "their modes" [ "$(stat -c %a x/locked x/locked/in | tr '\n' ' ')" = "0 0 " ]
    check "their files" [ "$(cat x/locked/a x/locked/in/b)" = $'a\nb' ]
    clean
fi
run "$TREEMILL" extract -q --manifest=no/such/m -C y t.tar
check "no place for the manifest" ends 2 'no/such/m: create: No such file or directory'
check "nothing is made then" [ ! -e y ]

# A file may not become so large. (The signal of that is an error like others.)
limited() { # KIB ARGUMENT...
    # shellcheck disable=SC2016  # the other bash expands it
    run bash -c "ulimit -f $1"' && exec "$TREEMILL" "${@:2}"' bash "$@"
}
truncate -s 70M zeros
gzip -1k zeros
tar -cf zeros.tar zeros
tar -czf zeros.tar.gz zeros
"$TREEMILL" create -q zeros.zip zeros
few=("" "$model_inline")
! with_processes || few+=("$model_processes")
for model in "${few[@]}"; do
    for archive in zeros.tar zeros.tar.gz zeros.zip; do
        # shellcheck disable=SC2086  # options are words
        limited 65000 extract -q --memory=30M $model -C x $archive
        check "$archive, too large $model" ends 3 'zeros: create: File too large'
        check "nothing of it, $archive $model" [ -z "$(ls -A x)" ]
    done
done
rm -f zeros zeros.*

# Few descriptors: enough, or said so.
for model in "" "$model_threads"; do
    for limit in 24 16 12 8 5; do
        for archive in t.tar t.zip; do
            clean
            # shellcheck disable=SC2016,SC2086  # the other bash expands it; options are words
            run bash -c 'exec 3<&- 4<&- 5<&- 6<&- 7<&- && ulimit -n '$limit' && exec "$TREEMILL" "$@"' bash \
                extract -q $model -C x $archive
            if [ "$status" -eq 0 ]; then
                check "$archive with $limit descriptors $model" diff -r --no-dereference tree x/tree
            else
                check "$archive with $limit descriptors, said so $model" \
                    ends 2 '.*([Tt]oo (many|few) open files).*'
                whole "$archive with $limit descriptors $model"
                check "24 are enough for $archive $model" [ $limit -lt 24 ]
            fi
        done
    done
done
clean

# Signals.
mkdir -p big/sub big/closed
seq 1 20000000 | head -c 120000000 >big/first
for name in {1..2000}; do head -c 20000 big/first >"big/sub/$name"; done
chmod 555 big/closed big/sub
tar -czf big.tar.gz --transform='s,^big,tree,' big
tar -cf big.tar --transform='s,^big,tree,' big
mv tree other
mv big tree
interrupted() { # SIGNAL STATUS COMMAND...
    clean
    "${@:3}" >out 2>err &
    pid=$!
    sleep "0.$((RANDOM % 3 + 1))"
    kill -s "$1" $pid 2>/dev/null
    status=0
    wait $pid || status=$?
    [ "$status" -eq 0 ] || check "$1 ends ${*:4}" [ "$status" -eq "$2" ]
    [ "$status" -eq 0 ] || ended=$((ended + 1))
    check "$1, silent: ${*:4}" [ ! -s err ]
    whole "$1: ${*:4}"
}
ended=0
RANDOM=7
set -m
for model in "" "$model_threads" "$model_processes"; do
    for signal in INT:130 TERM:143; do
        for archive in big.tar big.tar.gz; do
            # shellcheck disable=SC2086  # options are words
            interrupted ${signal%:*} ${signal#*:} "$TREEMILL" extract -q -T 2 $model -C x $archive
        done
    done
done
check "some were ended" [ "$ended" -ge 3 ]
# While nothing comes.
mkfifo idle
exec 5<>idle
head -c 300000 big.tar.gz >&5 &
for signal in INT:130 TERM:143; do
    interrupted ${signal%:*} ${signal#*:} "$TREEMILL" extract -q -C x idle
    check "an idle pipe, $signal" [ "$status" -eq "${signal#*:}" ]
done
exec 5>&-
set +m
clean

finish
