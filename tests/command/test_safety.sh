#!/usr/bin/env bash
# create, compress and decompress where data could be lost: files that grow or shrink in front of
# them, outputs that are something else already, names that meet.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

# tree, of a large file, which takes all buffers until somebody reads its archive, and small ones.
make_tree() {
    rm -rf tree && mkdir tree
    head -c 150000000 /dev/zero >tree/a-large
    echo before >tree/b
    echo after >tree/c
}

# What create writes to a pipe, during which, the directory having been read, a command is run.
#
#     treemill   stats tree/*, sends tree/a-large: waits for the pipe
#     here       COMMAND changes tree/b                              reads the pipe
#     treemill                                     reads tree/b
create_slowly() { # COMMAND OPTION...
    local command=$1
    shift
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
    make_tree
    create_slowly 'head -c 100000 /dev/urandom >>tree/b'
    check "it is told" ends 3 'tree/b: changed while being read'
    check "a file that has grown is stored as far as it was seen" \
        [ "$(tar -xOf made.tar tree/b)" = before ]
    check "and those behind it" [ "$(tar -xOf made.tar tree/c)" = after ]
    make_tree
    create_slowly 'echo more >>tree/b' --on-change=fail
    check "it is told" ends 3 'tree/b: read: file changed while being read'
    check "left out with --on-change=fail" [ "$(tar -tf made.tar | grep -c b$)" = 0 ]
    make_tree
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

# The first name of a file goes while the others are on their way.
test_first_name_gone() {
    make_tree
    ln -f tree/b tree/c
    create_slowly 'rm tree/b'
    check "status" [ "$status" = 3 ]
    check "the first name is told of" grep -q '^treemill: tree/b: open: ' err
    check "and the other one" grep -q '^treemill: tree/c: store: another name of a file' err
}

# What has the output's name already. Large files come to their outputs another way than small ones.
test_in_the_way() {
    local size
    mkdir way
    for size in 100 9000000; do
        head -c "$size" /dev/urandom >way/f
        ln -sf /dev/null way/f.gz
        expect_status 3 "$TREEMILL" compress -q --remove-source way/f
        check "$size: a link to a device is not written through" [ -s way/f ]
        rm way/f.gz
        mkfifo way/f.gz
        expect_status 3 "$TREEMILL" compress -q --remove-source way/f
        check "$size: nor is a FIFO" [ -s way/f ]
        rm way/f.gz
        mkdir way/f.gz
        expect_status 3 "$TREEMILL" compress -q --force --remove-source way/f
        check "$size: a directory is not replaced" [ -s way/f -a -d way/f.gz ]
        rmdir way/f.gz
        echo kept >way/other
        ln -sf other way/f.gz
        expect_status 0 "$TREEMILL" compress -q --force way/f
        check "$size: what a link leads to is not replaced, but the link" \
            [ "$(cat way/other)" = kept -a ! -L way/f.gz ]
        check "$size: whole" cmp -s way/f <(gzip -dc way/f.gz)
        rm way/f.gz
        chmod 600 way/f
        expect_status 0 "$TREEMILL" compress -q way/f
        check "$size: mode" [ "$(stat -c %a way/f.gz)" = 600 ]
        rm way/f.gz
        chmod 644 way/f
        cp way/f way/copy
        expect_status 2 "$TREEMILL" compress -q --force --suffix= way/f
        check "$size: the file is not its own output" cmp -s way/f way/copy
    done
}

# Below the directory of the outputs nothing is taken for input.
test_output_inside() {
    mkdir -p in/a in/out/in
    echo x >in/f
    echo y >in/a/g
    echo z >in/out/theirs
    for i in 1 2 3; do
        expect_status 0 "$TREEMILL" compress -q -r -f -o in/out in
        check "run $i: its outputs and no others" \
            [ "$(cd in/out && find . -type f | LC_ALL=C sort | tr '\n' ' ')" = \
                "./in/a/g.gz ./in/f.gz ./theirs " ]
    done
    expect_status 0 "$TREEMILL" compress -q -r -f in/a
    expect_status 0 "$TREEMILL" compress -q -r -f in/a
    check "outputs of a run before are not compressed once more" [ ! -e in/a/g.gz.gz ]
}

# Small and large files, beside themselves and elsewhere, below directories and not.
test_remove_source() {
    local where
    for where in "" "-o there/new"; do
        rm -rf from there small* && mkdir -p from/er
        head -c 100 /dev/urandom | tee small >from/er/small
        head -c 9000000 /dev/urandom >from/er/large
        cp -r from copy
        # shellcheck disable=SC2086
        expect_status 0 "$TREEMILL" compress -q -r --remove-source $where small from
        check "compress $where: only outputs are left" \
            [ -z "$(find small from -type f ! -name '*.gz' 2>/dev/null)" ]
        # shellcheck disable=SC2086
        [ -z "$where" ] || { cp -r there/new/. . && rm -r there; }
        # shellcheck disable=SC2086  # options are words
        expect_status 0 "$TREEMILL" decompress -q -r --remove-source $where small.gz from
        check "decompress $where: no inputs are left" [ -z "$(find small* from -name '*.gz' 2>/dev/null)" ]
        [ -z "$where" ] || cp -r there/new/. .
        check "$where: the same" diff -r from copy
        rm -r copy
    done
}

# Two files whose outputs have one name: no more of them are removed than there are outputs.
test_same_name() {
    local model size
    for model in "" "--compress=uring:8" "--compress=epoll:8" "--compress=processes:2"; do
        [[ $model != *processes* ]] || with_processes || continue
        [[ $model != *uring* ]] || has_model uring || continue
        for size in 100 3000000; do
            rm -rf same && mkdir same
            head -c "$size" /dev/urandom >same/one
            "$TREEMILL" compress -q same/one && mv same/one.gz same/f.gz
            head -c "$size" /dev/urandom >same/two
            "$TREEMILL" compress -q --format=zstd same/two && mv same/two.zst same/f.zst
            # shellcheck disable=SC2086
            expect_status 3 "$TREEMILL" decompress -q -r --force --remove-source $model same
            check "$size $model: both are still there" \
                [ "$(find same -name 'f*' | wc -l)" = 2 -a -e same/f ]
        done
    done
}

# Behind a member something that is none, or one whose header is broken.
test_trailing() {
    echo first | gzip >good.gz
    { cat good.gz; echo garbage; } >garbage.gz
    { cat good.gz; printf '\x1f'; echo garbage; } >nearly.gz
    { cat good.gz; echo second | gzip | sed 's/^\(\x1f\x8b\)\x08/\1\x07/'; } >broken.gz
    run "$TREEMILL" decompress -q --remove-source garbage.gz
    check "garbage: status" [ "$status" = 3 ]
    check "garbage: the file is kept" [ -s garbage.gz -a "$(cat garbage)" = first ]
    run "$TREEMILL" decompress -q nearly.gz
    check "what begins like a member: status" [ "$status" = 3 ]
    check "what begins like a member" [ "$(cat nearly)" = first ]
    run "$TREEMILL" decompress -q --remove-source broken.gz
    check "a broken second member: status" [ "$status" = 1 ]
    check "a broken second member: nothing" [ ! -e broken -a -s broken.gz ]
}

# Small files that take a pax header each, by their names or by their owner's number.
test_many_pax_headers() {
    local i name suffix
    name=$(printf 'n%.0s' {1..96})
    mkdir pax
    for i in $(seq 1000 3100); do printf x >"pax/$name-$i"; done
    for suffix in tar tar.gz tar.zst zip; do
        expect_status 0 "$TREEMILL" create -q -f "pax.$suffix" pax
    done
    check "long names: all are there" [ "$(tar -tf pax.tar | wc -l)" = 2102 ]
    rm -r pax/*
    for i in $(seq 1000 3100); do printf x >"pax/$i"; done
    if chown -R 3000000 pax 2>/dev/null; then
        expect_status 0 "$TREEMILL" create -q -f pax.tar pax
        check "large numbers: all are there" [ "$(tar -tf pax.tar | wc -l)" = 2102 ]
    else
        left_out "owners of large numbers: not root"
    fi
}

# More small files than headers with the longest possible attributes would fit.
test_many_attributes() {
    local i
    mkdir marked
    for i in $(seq 1 500); do echo x >"marked/$i"; done
    setfattr -n user.mark -v "$(printf 'm%.0s' {1..1500})" marked/* 2>/dev/null ||
        { left_out "attributes: not here"; return; }
    expect_status 0 "$TREEMILL" create -q -f --xattrs marked.tar marked
    check "attributes: of all" \
        [ "$(tar --xattrs -tvvf marked.tar | grep -c 'user.mark')" = 500 ]
}

# Standard output is one stream; a manifest does not replace its archive.
test_one_output_each() {
    local options
    echo x >one
    for options in "create --json --format=tar -" "create --manifest=- --format=tar -" \
        "create --manifest=- --json one.tar" "create -f --manifest=one.tar one.tar" \
        "create -9 one.tar" "create --xattrs one.zip" "compress --json -c" \
        "compress --manifest=- -c"; do
        # shellcheck disable=SC2086
        expect_status 2 "$TREEMILL" $options one
        check "$options: nothing is written" [ ! -e one.tar -a ! -e one.zip ]
    done
    expect_status 0 "$TREEMILL" create -q --manifest=- one.tar one
    check "a manifest alone may go there" [ "$(cut -c 65- out)" = "  one" ]
}

test_growing
test_one_output_each
test_many_attributes
test_many_pax_headers
test_block_size
test_first_name_gone
test_in_the_way
test_output_inside
test_remove_source
test_same_name
test_trailing
finish
