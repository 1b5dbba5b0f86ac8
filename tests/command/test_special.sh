#!/usr/bin/env bash
# What has no length and can be read once only: standard input, FIFOs, sockets, devices; hundreds
# at once on one event loop; lists of files that come slowly.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has python3 || skip "python3 is missing: it plays the other end of FIFOs and sockets"

# The loops, and with them models that read one after another.
hashers=(inline threads:2)
! with_processes || hashers+=(processes:2)
for model in uring epoll; do
    ! has_model "$model" || hashers+=("$model:4")
done

# Not read unless asked for, nor ever below a directory.
mkdir tree
mkfifo tree/fifo fifo
run "$TREEMILL" hash -q fifo
check "a FIFO is skipped" ends 3 'fifo: skipped: not a regular file'
run "$TREEMILL" hash -q --special=read tree
check "a FIFO below a directory is skipped" ends 3 'tree/fifo: skipped: not a regular file'
run "$TREEMILL" hash -q --special=read /dev/null
check "a device is read" [ "$status:$(cat out)" = "0:$(sha256sum /dev/null)" ]

# One FIFO, one socket, standard input, each in pieces with pauses between them.
cat >serve.py <<'END'
import os, socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
server.listen(5)
for _ in range(int(sys.argv[1])):
    connection, _ = server.accept()
    for piece in (b"one ", b"two ", b"three\n"):
        connection.sendall(piece)
        time.sleep(0.05)
    connection.close()
END
pieces() {
    printf 'one '
    sleep 0.05
    printf 'two '
    sleep 0.05
    printf 'three\n'
}
digest=$(pieces | sha256sum)
digest=${digest%% *}
python3 serve.py "${#hashers[@]}" &
server=$!
while [ ! -S socket ]; do sleep 0.01; done
for hasher in "${hashers[@]}"; do
    run "$TREEMILL" hash -q --special=read --hash="$hasher" socket
    check "socket, $hasher" [ "$status:$(cat out)" = "0:$digest  socket" ]
    pieces >fifo &
    run "$TREEMILL" hash -q --special=read --hash="$hasher" fifo
    check "FIFO, $hasher" [ "$status:$(cat out)" = "0:$digest  fifo" ]
    pieces | run "$TREEMILL" hash -q --hash="$hasher" -
    check "standard input, $hasher" [ "$(cat out)" = "$digest  -" ]
done
wait "$server"
run "$TREEMILL" hash -q --special=read socket
check "nobody listens" ends 3 'socket: open: Connection refused'

# Their writer goes round all of them, again and again: one reader at a time would never end.
cat >write.py <<'END'
import os, sys
count = int(sys.argv[1])
writers = [os.open(f"many/{n}", os.O_WRONLY) for n in range(1, count + 1)]
for turn in range(5):
    for number, writer in enumerate(writers, 1):
        os.write(writer, f"{number} {turn}\n".encode() * 1000)
for writer in writers:
    os.close(writer)
END
mkdir many
many=300
for n in $(seq $many); do
    mkfifo "many/$n"
    for turn in 0 1 2 3 4; do yes "$n $turn" | head -n 1000; done | sha256sum |
        sed "s|-\$|many/$n|"
done | sort >want
for model in uring epoll; do
    has_model "$model" || continue
    timeout 60 python3 write.py $many &
    # shellcheck disable=SC2046  # one word a FIFO
    run "$TREEMILL" hash -q --special=read --hash="$model:$((many + 50))" $(seq -f 'many/%g' $many)
    check "$many FIFOs on a loop, $model" cmp -s <(sort out) want
    wait
done

# A worker is killed that has read a part: not the digest of the rest, but an error.
if with_processes && has pkill; then
    mkfifo slow
    for hasher in processes:1 processes:1,io=epoll; do
        "$TREEMILL" hash -q --read=inline --hash=$hasher - <slow >out 2>err &
        job=$!
        exec 3>slow
        printf 'one ' >&3
        until nursery=$(pgrep -P $job -x nursery) && pgrep -P "$nursery" -x hash-0 >/dev/null; do
            sleep 0.01
        done
        # Until it has taken what is in the pipe: FIONREAD says that nothing is left there.
        python3 -c '
import array, fcntl, termios, time
left = array.array("i", [1])
while left[0]:
    time.sleep(0.01)
    fcntl.ioctl(3, termios.FIONREAD, left)'
        pkill -KILL -P "$nursery" -x hash-0
        exec 3>&-
        status=0
        wait $job || status=$?
        check "standard input is lost with its reader, $hasher" \
            ends 3 '-: hash: worker was killed, and what it had read is gone'
        check "and has no line" [ ! -s out ]
    done
fi

# Names that come slowly are worked on as they come: the second is written when the first is done.
for name in first second third; do echo "$name" >"$name"; done
slowly() { # each name once the digest of the one before it is there
    echo first
    while ! grep -q first out; do sleep 0.01; done
    echo second
    while ! grep -q second out; do sleep 0.01; done
    echo third
}
sha256sum first second third >want
for options in "${models[@]}"; do
    : >out
    # shellcheck disable=SC2086  # options are words
    slowly | timeout 60 "$TREEMILL" hash -q $options --files-from=- >out 2>err
    assert_same out want "names as they come, $options"
done

finish
