#!/usr/bin/env bash
# hash -C and create -C: files are named from another directory, all else from where the program was
# started.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
list_models

mkdir -p away/tree/below start
cd start || exit 1
for name in one two below/three; do echo "$name" >"../away/tree/$name"; done
touch -d '2001-02-03' ../away/tree/one
(cd ../away && "$TREEMILL" hash -q tree) >want
printf 'tree/below/three\ntree/two\n' >names
grep -F -f names want >want.two
echo two >patterns
touch -d '2010-01-01' stamp

for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model -C ../away tree
    assert_same "$work/out" want "hash -C $model"
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model -C ../away -fo sums tree
    check "the output is named from the start $model" cmp -s sums want
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q $model -C ../away sums
    check "verify has the same -C $model" [ "$status" -eq 0 ]
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" create -q $model -f -C ../away --manifest=list a.tar.gz tree
    check "create -C $model" [ "$status" -eq 0 ]
    check "its manifest $model" cmp -s list want
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q --archive=a.tar.gz --extra=fail want
    check "its members $model" [ "$status" -eq 0 ]
done

run "$TREEMILL" hash -q -C ../away --files-from=names
assert_same "$work/out" want.two "names of a list, and the list"
run bash -c '"$TREEMILL" hash -q -C ../away --files-from=- <names'
assert_same "$work/out" want.two "names of standard input"
run "$TREEMILL" hash -q -C ../away --newer=stamp tree
check "--newer=FILE" [ "$(sed 's/.*  //' "$work/out" | tr '\n' ' ')" = "tree/below/three tree/two " ]
run "$TREEMILL" hash -q -C ../away --newer=2010-01-01 tree
check "--newer=DATE" [ "$(wc -l <"$work/out")" -eq 2 ]
run "$TREEMILL" hash -q -C ../away --exclude-from=patterns tree
check "--exclude-from" [ "$(wc -l <"$work/out")" -eq 2 ]
run "$TREEMILL" create -C ../away -n b.zip tree
check "--dry-run" [ "$status" -eq 0 ]
check "--dry-run makes nothing" [ ! -e b.zip ]
check "--dry-run makes nothing there" [ ! -e ../away/b.zip ]
run "$TREEMILL" hash -q -C "$work/away/tree" -o absolute .
check "an absolute one" [ "$(wc -l <absolute)" -eq 3 ]
run bash -c '"$TREEMILL" create -q -C ../away --format=tar - tree | tar -t'
check "an archive to a pipe" grep -qx tree/below/three "$work/out"
run "$TREEMILL" hash -q --sandbox=require -C ../away -o boxed tree
if [ "$status" -eq 0 ]; then assert_same boxed want "in a sandbox"; else left_out "no sandbox here"; fi
check "nothing of it where the files are" [ "$(ls ../away)" = tree ]

run "$TREEMILL" hash -q -C nowhere .
check "one that is missing" ends 2 'nowhere: open: No such file or directory'
run "$TREEMILL" create -q -C names c.tar .
check "one that is a file" ends 2 'names: open: Not a directory'
check "and no archive" [ ! -e c.tar ]
run "$TREEMILL" hash -q -C ../away -o sums tree
check "an output that exists" ends 2 '.*/start/sums: create: exists already; --force replaces it'
run "$TREEMILL" hash --json -C nowhere .
check "an event of it" grep -q '"event":"error".*"path":"nowhere"' "$work/out"
finish
