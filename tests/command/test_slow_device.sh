#!/usr/bin/env bash
# The slow device that other tests rely on does what they rely on; and treemill on it: late,
# short and failing reads under every model.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

mkdir -p tree/below/further
for size in 0 1 4095 4096 70000 3000000; do
    head -c "$size" /dev/urandom >"tree/below/size-$size"
done
for number in $(seq 64); do
    head -c "$number" /dev/zero >"tree/small-$number"
done
printf 'x' >"tree/below/further/ name with spaces"
ln -s below/size-1 tree/link
reference tree >list

# Everything is there, and nothing can be written.
slow_mount tree --latency-ms=0
check "the device shows what is there" diff -r --no-dereference tree slow
check "the device is read-only" test ! -w slow/small-1
check "attributes are those of the source" test "$(stat -c '%a %s %Y %i' tree/small-9)" = \
    "$(stat -c '%a %s %Y %i' slow/small-9)"
slow_unmount
check "unmounts itself" test ! -e slow/small-1

# 64 reads of 500 ms would take 32 s one after another (and as many again to see the end).
slow_mount tree --latency-ms=500
begin=$(milliseconds)
find slow -name 'small-*' -print0 | xargs -0 -P64 -n1 cat | wc -c >bytes
taken=$(($(milliseconds) - begin))
check "64 reads at once, $taken ms" test "$taken" -lt 16000 -a "$taken" -ge 500
check "and all bytes of them" test "$(cat bytes)" -eq 2080
slow_unmount

slow_mount tree --latency-ms=0 --short-reads
check "short reads lose nothing" diff -r --no-dereference tree slow
dd if=slow/below/size-70000 of=first bs=70000 count=1 2>/dev/null
check "and are short" test "$(stat -c %s first)" -lt 70000 -a -s first
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # a model is several words
    expect_status 0 "$TREEMILL" hash -q $model slow
    sed 's|  slow/|  tree/|' out >paths
    assert_same list paths "short reads, ${model:-default}"
done
slow_unmount

slow_mount tree --latency-ms=0 --fail-read=1 --fail-name='size-70000'
for model in "${models[@]}"; do
    # shellcheck disable=SC2086
    run "$TREEMILL" hash -q $model slow
    expect_line 3 'slow/below/size-70000: .*: Input/output error'
    sed 's|  slow/|  tree/|' out >paths
    grep -v 'size-70000' list | cmp -s - paths
    check "one file fails, ${model:-default}: the others are there" test $? -eq 0
done
slow_unmount

finish
