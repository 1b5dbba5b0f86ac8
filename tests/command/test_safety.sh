#!/usr/bin/env bash
# create, compress and decompress where data could be lost: files that grow or shrink in front of
# them, outputs that are something else already, names that meet.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

# What create writes to a pipe, during which, the directory having been read, a command is run.
#
#     treemill   stats tree/*, sends tree/a-large: waits for the pipe
#     here       COMMAND changes tree/b                              reads the pipe
#     treemill                                     reads tree/b
create_slowly() { # COMMAND OPTION...
    local command=$1
    shift
    rm -rf tree && mkdir tree
    head -c 150000000 /dev/zero >tree/a-large
    echo before >tree/b
    echo after >tree/c
    rm -f pipe && mkfifo pipe
    "$TREEMILL" create -q --format=tar "$@" - tree >pipe 2>err &
    local job=$!
    exec 5<pipe
    sleep 1
    eval "$command"
    cat <&5 >made.tar
    exec 5<&-
    wait "$job"
    status=$?
}

test_growing() {
    create_slowly 'head -c 100000 /dev/urandom >>tree/b'
    check "it is told" ends 3 'tree/b: changed while being read'
    check "a file that has grown is stored as far as it was seen" \
        [ "$(tar -xOf made.tar tree/b)" = before ]
    check "and those behind it" [ "$(tar -xOf made.tar tree/c)" = after ]
    create_slowly 'echo more >>tree/b' --on-change=fail
    check "it is told" ends 3 'tree/b: read: file changed while being read'
    check "left out with --on-change=fail" [ "$(tar -tf made.tar | grep -c b$)" = 0 ]
    create_slowly ': >tree/b'
    check "one that has shrunk is read again: status" [ "$status" = 0 ]
    check "one that has shrunk is read again" [ "$(tar -xOf made.tar tree/b tree/c)" = after ]
}

# What is asked for at a time is given by the file's form.
test_block_size() {
    head -c 9000000 /dev/urandom >large
    expect_status 0 "$TREEMILL" compress -q large
    expect_status 2 "$TREEMILL" decompress -q --block-size=4K -c large.gz
}

test_growing
test_block_size
finish
