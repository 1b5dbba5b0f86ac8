#!/usr/bin/env bash
# What cannot be read, is not a file, vanishes or changes: one line each, the right exit status,
# never a wrong digest, and the other files hashed all the same.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

# Root may read everything: then somebody else does it, with a copy that he can surely run.
user=("$TREEMILL")
if [ "$(id -u)" -eq 0 ]; then
    install -m 755 "$TREEMILL" program
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program")
fi

# Each kind of entry that is no readable file, beside two that are.
mkdir -p tree/closed tree/sub
echo a >tree/a
echo z >tree/sub/z
echo n >tree/no-read
chmod 0 tree/no-read tree/closed
mkfifo tree/fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("tree/socket")' 2>err ||
    { echo "left out: no socket (python3 is missing)" && mkfifo tree/socket; }
ln -s a tree/link
ln -s nowhere tree/dangling
ln -s . tree/sub/loop
sha256sum tree/a tree/sub/z >want
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "${user[@]}" hash $model tree
    check "readable files are hashed $model" cmp -s want out
    check "the others are counted" grep -q '^treemill: hashed 2 files, .* 2 errors, 2 skipped$' err
    grep -v ': hashed' err | LC_ALL=C sort >lines
    {
        echo "treemill: tree/closed: list: Permission denied"
        echo "treemill: tree/fifo: skipped: not a regular file"
        echo "treemill: tree/no-read: open: Permission denied"
        echo "treemill: tree/socket: skipped: not a regular file"
    } | diff - lines
    check "a line for each other $model" [ "$? $status" = "0 3" ]
done

# Links: operands are followed, others with -L, which ends.
run "$TREEMILL" hash -q tree/link
check "a link as operand" [ "$status $(cat out)" = "0 $(sha256sum tree/link)" ]
run "$TREEMILL" hash -q tree/dangling
check "a dangling link as operand" ends 3 'tree/dangling: stat: No such file or directory'
ln -s tree root
run "${user[@]}" hash -q root
check "a link to a directory as operand" diff <(sha256sum root/a root/sub/z) out
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "${user[@]}" hash -q -L $model tree
    check "-L $model" diff <(sha256sum tree/a tree/link tree/sub/z) out
    check "-L names the loop $model" grep -q '^treemill: tree/sub/loop: .*loop' err
    check "-L names the dangling link $model" grep -q '^treemill: tree/dangling: stat: No such' err
done

# A directory below itself, as bind mounts make it. (It is gone with the mount's directory.)
mkdir -p mounted/below/self
echo a >mounted/below/file
echo z >mounted/zz
reference mounted >want-mounted
if [ "$(id -u)" -eq 0 ] && mount --bind mounted mounted/below/self 2>err; then
    for model in "${models[@]}"; do
        for option in "" -x -L; do
            # shellcheck disable=SC2086  # options are words
            run "$TREEMILL" hash -q $option $model mounted
            check "a loop of mounts $option $model" \
                ends 3 'mounted/below/self: list: directory loop: it is its own ancestor'
            assert_same want-mounted out "the others beside a loop of mounts $option $model"
        done
    done
    umount mounted/below/self
else
    left_out "a loop of mounts (no right to mount)"
fi

# A device, the memory of a process: no regular files.
run "$TREEMILL" hash /dev/zero
summed_up
check "a device" ends 3 '/dev/zero: skipped: not a regular file'

# Files of /proc say that they are empty.
for name in version cpuinfo; do
    for model in "${models[@]}" --block-size=4K; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash -q $model "/proc/$name"
        # The frequencies in cpuinfo may have moved between the two.
        [ "$(cat out)" = "$(sha256sum "/proc/$name")" ] || run "$TREEMILL" hash -q "/proc/$name"
        check "/proc/$name $model" [ "$status $(cat out)" = "0 $(sha256sum "/proc/$name")" ]
    done
done

# A name that vanishes after it was written to the list.
mkfifo names
for model in "${models[@]}"; do
    echo gone >gone
    (
        exec 3>names
        echo tree/a >&3
        echo gone >&3
        sleep 0.2
        echo tree/sub/z >&3
    ) &
    rm gone
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model --files-from=names
    wait $!
    check "a vanished file $model" ends 3 'gone: (stat|open): No such file or directory'
    check "the others $model" cmp -s want out
done
# Files that come and go while the tree is listed: nothing but such lines.
mkdir busy
echo stays >busy/stays
touch run
while [ -e run ]; do
    touch busy/{1..60}
    rm -f busy/{1..60}
done &
for round in 1 2 3 4 5 6; do
    run "$TREEMILL" hash -q busy
    grep -Evq '^treemill: busy/[0-9]+: (stat|open): No such file or directory$' err &&
        fail "a tree in motion, round $round"
    check "what stays" grep -qx "$(sha256sum busy/stays)" out
done
rm run && wait

# A file that grows while it is read. Where the writer gets no processor for a while, the file did
# not change and is rightly hashed: then again.
run_until_changed() { # COMMAND...
    local tries
    for tries in {1..200}; do
        run "$@"
        [ "$status" -eq 0 ] || return 0
    done
    echo "no change in $tries runs"
}
head -c 50000000 /dev/zero >grows
touch run
while [ -e run ]; do echo more >>grows; done &
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run_until_changed "$TREEMILL" hash -q $model --on-change=fail grows
    check "--on-change=fail $model" ends 3 'grows: read: .*changed.*'
    check "no digest $model" [ ! -s out ]
    # shellcheck disable=SC2086  # options are words
    run_until_changed "$TREEMILL" hash -q $model --on-change=retry:2 grows
    check "--on-change=retry:2 $model" ends 3 'grows: read: .*changed.*'
    check "no digest after retries $model" [ ! -s out ]
    # shellcheck disable=SC2086  # options are words
    run_until_changed "$TREEMILL" hash $model --on-change=warn grows
    summed_up
    check "--on-change=warn $model" ends 3 'grows: .*changed.*'
    check "a digest, with the warning $model" [ "$(wc -l <out)" -eq 1 ]
done
rm run && wait
# Changes pause: a retry gets what was there at some moment, never a mixture.
was_there() { # the digest in out is that of grows with some of its last 20 lines missing
    local lines bytes
    bytes=$(stat -c %s grows)
    for lines in {0..20}; do
        [ "$(cut -c 1-64 out)" = "$(head -c $((bytes - 5 * lines)) grows | sha256sum | cut -c 1-64)" ] &&
            return
    done
}
for model in "${models[@]}"; do
    (for _ in {1..20}; do echo more >>grows && sleep 0.01; done) &
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model --on-change=retry:100 grows
    wait
    check "it settled $model" [ "$status" -eq 0 ]
    check "a digest of one moment $model" was_there
done

# A file that loses its end, and one that another takes the place of.
head -c 50000000 /dev/zero >shrinks
head -c 50000000 /dev/zero >replaced
sha256sum replaced >want-replaced
touch run
while [ -e run ]; do truncate -s 40000000 shrinks && truncate -s 50000000 shrinks; done &
while [ -e run ]; do cp replaced new && mv new replaced; done &
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run_until_changed "$TREEMILL" hash -q $model --on-change=fail shrinks
    check "a file that shrinks $model" ends 3 'shrinks: read: .*changed.*'
    check "no digest of it $model" [ ! -s out ]
    # It is read through a descriptor, so its bytes stay; that its last name went may be noticed.
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model --on-change=warn replaced
    check "a file that is replaced $model" cmp -s want-replaced out
    check "it may be said to have changed $model" \
        [ -z "$(grep -v '^treemill: replaced: changed while being read$' err)" ]
done
rm run && wait
rm -f shrinks replaced new

# Few descriptors: 16 are enough. With too few, the job does not begin, or finds every file.
mkdir -p room/few "room/few/deep$(printf '/%d' {1..60})"
for name in {1..300}; do echo "$name" >"room/few/$name"; done
for name in 1 1/2/3 "$(seq -s / 60)"; do echo "$name" >"room/few/deep/$name/file"; done
head -c 3000000 /dev/urandom >room/few/large
ln -s room/few few
(cd room && reference few) >want
with_descriptors() { # LIMIT ARGUMENT...
    local limit=$1
    shift
    # None is inherited but the three.
    run bash -c "cd room && exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&- && ulimit -n $limit &&
        exec \"\$TREEMILL\" \"\$@\"" bash "$@"
}
for model in "${models[@]}" "-T 4"; do
    # A loop has two of its own, and a ring as many as reads in flight.
    enough=16
    case $model in *loops=*) enough=64 ;; *io=*) enough=1024 ;; esac
    # shellcheck disable=SC2086  # options are words
    with_descriptors $enough hash -q $model few
    check "$enough descriptors $model" [ "$status$(cat err)" = 0 ]
    assert_same want out "hash with $enough descriptors $model"
    # shellcheck disable=SC2086  # options are words
    with_descriptors $enough verify -q --extra=fail $model ../want
    check "verify with $enough descriptors $model" [ "$status$(cat out err)" = 0 ]
    for limit in 4 5 6 7 8 9 10 12; do
        # shellcheck disable=SC2086  # options are words
        with_descriptors $limit hash -q --block-size=64K $model few
        if [ "$status" -eq 0 ]; then
            check "$limit descriptors $model" cmp -s want out
        else
            check "$limit descriptors, said so $model" ends 2 '.*([Tt]oo (many|few) open files).*'
        fi
    done
done
with_descriptors 16 hash -q -T 8 --read=threads:8 --scan=threads:8 --block-size=64K few
check "16 descriptors are enough for 24 workers" [ "$status$(cat err)" = 0 ]
assert_same want out "24 workers with 16 descriptors"
mkfifo late
# Others hold all of them for a while: the machine has no more, or a limit is lowered meanwhile.
(ulimit -n 40 && exec "$TREEMILL" hash -q -T 2 --files-from=late >out 2>err) &
pid=$!
exec 3>late
sleep 0.3
prlimit --pid "$pid" --nofile=3:40 && find few/ -type f | LC_ALL=C sort >&3
exec 3>&-
sleep 1
prlimit --pid "$pid" --nofile=40:40
wait "$pid"
status=$?
check "a shortage that passes" [ "$status" -eq 0 ]
check "no file is lost by it" cmp -s <(sed "s|few//|few/|" want | LC_ALL=C sort) \
    <(sed "s|few//|few/|" out | LC_ALL=C sort)

# Memory: the minimum is named and is enough.
for model in "${models[@]}" "-T 8" "--block-size=8M" "--hash=threads:64"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model --memory=1M few
    [ "$status" -eq 0 ] && cmp -s want out && pass && continue
    check "too little memory $model" ends 2 '--memory: .* need at least [0-9]+[KMG]?'
    least=$(sed 's/.*at least //' err)
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model "--memory=$least" few
    check "the named minimum, $least $model" [ "$status" -eq 0 ]
    check "its output $model" cmp -s want out
done

# Wrong use: status 2, one line, nothing on standard output.
for wrong in --no-such-option --memory=1K --memory= --memory=x --on-change=never \
    --on-change=retry:0 --on-change=retry:x --read=fibers --read=threads:-1 --read=threads:x --stages=fry=inline \
    --block-size=1 --algorithm=rot13 --format=xml --order=size --min-size=x --newer=someday \
    --exclude-from=nowhere --files-from=nowhere --progress-interval=x -T=x; do
    run "$TREEMILL" hash "$wrong" tree/a
    check "wrong: $wrong" ends 2 '.+'
    check "no output: $wrong" [ ! -s out ]
done
run "$TREEMILL" hash
check "no operand" [ "$status-$(sed -n '1s/ at least.*//p' err)" = "2-treemill: hash needs" ]
run "$TREEMILL" hash tree/a --files-from
check "an option without its value" ends 2 '.*--files-from .*'
run "$TREEMILL" mash tree
check "no such verb" ends 2 '.*mash.*'
run "$TREEMILL" verify
check "verify without operand" [ "$status-$(sed -n '1s/ at least.*//p' err)" = "2-treemill: verify needs" ]
run "$TREEMILL" verify -q nowhere
check "verify without its manifest" [ "$status" -ne 0 ]
check "verify says so" ends "$status" 'nowhere: .*: No such file or directory'

# verify tells each file that it could not read, and waits for no FIFO.
{
    sha256sum tree/a
    for name in tree/no-read tree/fifo tree/closed tree/gone /dev/zero; do
        echo "$(printf '%064d' 0)  $name"
    done
} >manifest
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "${user[@]}" verify $model manifest
    check "verify $model" [ "$status $(grep -c ': FAILED open or read$' out)" = "1 5" ]
    check "verify, the other file $model" grep -qx 'tree/a: OK' out
    check "verify, a reason each $model" [ "$(grep -Ec '^treemill: (tree|/dev)/.+: .+' err)" -eq 5 ]
    check "verify, one is missing $model" grep -qx 'treemill: 1 listed file is missing' err
done

# A missing operand does not stop the others; an odd name stays one line.
run "$TREEMILL" hash -q nowhere tree/a $'new\nline' 'tree/a/b'
check "missing operands" [ "$status $(cat out)" = "3 $(sha256sum tree/a)" ]
check "one line each" [ "$(grep -Ec '^treemill: .+: [a-z]+: [A-Z]' err) $(wc -l <err)" = "3 3" ]
run "$TREEMILL" hash -q --fail-fast nowhere tree/a
check "--fail-fast" ends 2 'nowhere: stat: No such file or directory'

finish
