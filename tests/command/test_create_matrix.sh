#!/usr/bin/env bash
# Every model of every stage of create, alone and in mixtures: the same archive, byte for byte, and
# the same manifest. Files with holes, several names and many chunks are among them.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

mkdir -p tree/{a,b/c}
for i in {1..120}; do head -c $((i * 37 % 3000)) /dev/urandom >"tree/a/f$i"; done
seq 1 400000 | head -c 2400001 >tree/b/large
ln tree/b/large tree/a/again
ln -s large tree/b/link
truncate -s 3M tree/b/c/holes
echo middle | dd of=tree/b/c/holes bs=1 seek=1500000 conv=notrunc status=none
echo end >>tree/b/c/holes
: >tree/b/empty
reference tree >want-sums
for suffix in tar tar.gz tar.zst; do
    "$TREEMILL" create -q --manifest=want-m "want.$suffix" tree
    mv want-m "want-m.$suffix"
    check "the manifest of $suffix" cmp -s want-sums "want-m.$suffix"
done
mkdir x
tar -xf want.tar -C x
check "tar reads it" diff -r tree x/tree

number=0
same() { # OPTION...: one suffix after the other, with and without a manifest
    local suffix=tar.gz
    ! [[ $* == *processes* ]] || with_processes || return 0
    number=$((number + 1))
    case $((number % 3)) in
    0) suffix=tar ;;
    1) suffix=tar.zst ;;
    esac
    rm -f m
    run "$TREEMILL" create -qf --manifest=m "$@" "x.$suffix" tree
    check "create $suffix $*" [ "$status$(cat err)" = 0 ]
    check "the bytes of $suffix $*" cmp -s "x.$suffix" "want.$suffix"
    check "the manifest of $suffix $*" cmp -s m want-sums
}

for model in "${counted_models[@]}"; do
    for stage in scan read hash compress write; do
        same "--$stage=$model"
    done
    same --scan="$model" --read="$model" --hash="$model" --compress="$model" --write="$model"
    same --stages="read=threads:2;hash=$model;compress=threads:3;write=$model"
done
for read in inline threads:2 processes:2; do
    for compress in inline threads:3 processes:2; do
        for write in inline threads:2 processes:1; do
            same --read=$read --hash=$compress --compress=$compress --write=$write
        done
    done
done

finish
