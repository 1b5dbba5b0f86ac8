#!/usr/bin/env bash
# treemill extract: what becomes of a member that comes in pieces and cannot be made.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

head -c 5000000 /dev/urandom >large
echo other >other
tar -cf a.tar large other
sha256sum large other >sums
rm other
echo mine >large
sleep 1.1 # what is younger than the job may be its own
for model in "${stage_models[@]}"; do
    rm -f other
    run "$TREEMILL" extract -q --manifest=m --force --write="$model" a.tar
    check "with --force by $model" [ "$status$(cat err)" = 0 ]
    assert_same m sums
    echo mine >large
    rm -f m other
    sleep 0.1
    run "$TREEMILL" extract --manifest=m --write="$model" a.tar
    check "it is kept, and told of, by $model" [ "$status $(grep -c '^treemill: large: create: File exists$' err)" = "3 1" ]
    check "$model: and not counted" grep -q '^treemill: extracted 1 file, 6 B.*, 1 error$' err
    check "$model: it has no line" [ "$(cut -c 67- m)" = other ]
    check "$model: it is what it was" [ "$(cat large)" = mine ]
    rm -f m
done
touch -d '2030-01-01' large other
run "$TREEMILL" extract --overwrite=older a.tar
check "nothing is older" [ "$status $(grep -c '^treemill: extracted 0 files' err)" = "0 1" ]

finish
