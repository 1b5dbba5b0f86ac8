#!/usr/bin/env bash
# A slow device, and one whose reads come short or fail: every model gives the same manifest, or
# the same errors; workers killed with operations in flight lose nothing.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
[ "$(id -u)" -eq 0 ] || skip "mounting the slow device needs root"

mkdir -p source/a/b source/c
for n in $(seq 1 120); do
    head -c $((n * 97)) /dev/urandom >"source/a/$n"
    head -c $((n * 13)) /dev/urandom >"source/a/b/$n"
done
head -c 5000000 /dev/urandom >source/c/large
(cd source && reference . | sed 's|  \./|  |') >want

readers=(threads:8)
! has_model uring || readers+=("threads:2,burst=16")
! with_processes || readers+=(processes:2)
for model in uring epoll; do
    has_model "$model" || continue
    readers+=("$model:1" "$model:64" "$model:32,loops=2")
    ! with_processes || readers+=("processes:2,io=$model,depth=16")
done

# `hash .` in the mounted tree, without "./"
hash_slow() {
    status=0
    (cd slow && timeout 120 "$TREEMILL" hash -q "$@" .) 2>err | sed 's|  \./|  |' >out
    status=${PIPESTATUS[0]}
}

slow_mount source --latency-ms=1
for reader in "${readers[@]}"; do
    hash_slow --read="$reader" --block-size=64K
    check "slow, $reader: status" [ "$status" -eq 0 ]
    assert_same out want "slow, $reader"
done
slow_unmount

slow_mount source --latency-ms=0.2 --short-reads
for reader in "${readers[@]}"; do
    hash_slow --read="$reader" --block-size=64K
    assert_same out want "short reads, $reader"
done
slow_unmount

slow_mount source --latency-ms=0.2 --fail-read=1 --fail-name='5*'
for reader in "${readers[@]}"; do
    hash_slow --read="$reader"
    check "failing reads, $reader: status" [ "$status" -eq 3 ]
    check "failing reads, $reader: the rest" cmp -s out <(grep -Ev '/5[0-9]*$' want)
    check "failing reads, $reader: errors" \
        [ "$(grep -c ': read: Input/output error$' err)" -eq "$(grep -Ec '/5[0-9]*$' want)" ]
done
slow_unmount

# What the kernel may answer to a read, played on purpose: a part, EINTR, EAGAIN, a cancelled chain.
if grep -aq TREEMILL_IO_FAULT "$TREEMILL"; then
    for faults in short:2 eintr:2 again:2 again:1 cancel:2 short:2,eintr:3,again:5,cancel:7; do
        for reader in "${readers[@]}"; do
            status=0
            (cd source && TREEMILL_IO_FAULT=$faults timeout 120 \
                "$TREEMILL" hash -q --read="$reader" --block-size=64K .) 2>err |
                sed 's|  \./|  |' >out
            assert_same out want "$faults, $reader"
        done
    done
else
    left_out "answers played on purpose (this build has none)"
fi

# Killed with reads in flight: their slabs are not used again before the kernel is done with them.
if with_processes; then
    slow_mount source --latency-ms=20
    for model in uring epoll; do
        has_model "$model" || continue
        for death in in_flight:3 in_flight:1 in_flight:20 take_word:2,in_flight:5; do
            status=0
            (cd slow && TREEMILL_CRASH=$death timeout 120 "$TREEMILL" hash -q --block-size=64K \
                --read="processes:2,io=$model,depth=16" .) 2>err | sed 's|  \./|  |' >out
            assert_same out want "$death with $model"
        done
    done
    slow_unmount
fi

finish
