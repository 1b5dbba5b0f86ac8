#!/usr/bin/env bash
# --engine: whatever computes them, the digests are those of sha256sum; what is not there is one
# line of usage error.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

# Bundles of many small files of all lengths around the ends of blocks, files that fill a bundle
# alone or nearly, and large ones in between.
mkdir -p tree/small tree/middle
for i in {0..300}; do head -c "$i" /dev/urandom >"tree/small/$i"; done
for i in {1..40}; do head -c "$((i * i * 150 % 201000))" /dev/urandom >"tree/middle/$i"; done
for i in 262143 262144 262145 1000000; do head -c "$i" /dev/urandom >"tree/middle/size-$i"; done
: >tree/empty
reference tree >want

engines=(auto openssl)
run "$TREEMILL" hash --engine=multibuffer -q tree
if [ "$status" -eq 0 ]; then
    engines+=(multibuffer)
else
    expect_line 2 '--engine=multibuffer is not available here: .*'
    left_out "multibuffer: $(cat err)"
fi
for engine in "${engines[@]}"; do
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        expect_status 0 "$TREEMILL" hash -q --engine="$engine" $model tree
        assert_same out want "--engine=$engine $model"
    done
    expect_status 0 "$TREEMILL" hash -q --engine="$engine" --block-size=4K tree
    assert_same out want "--engine=$engine, small blocks"
    expect_status 0 "$TREEMILL" verify --engine="$engine" --quiet want
    check "verify --engine=$engine is quiet" test ! -s out
    # Several algorithms, of which one or two go through it.
    expect_status 0 "$TREEMILL" hash -q --engine="$engine" --tag -a md5,sha256,sha224,sha512 tree
    sort out >"several-$engine"
    assert_same "several-$engine" several-auto "several algorithms, --engine=$engine"
done
find tree -type f -print0 | xargs -0 sha224sum --tag | sort >want-224
grep '^SHA224' several-auto >out-224
assert_same out-224 want-224 "sha224 as sha224sum has it"

# A few bytes differ in one file of a bundle.
printf 'not what was there' | dd of=tree/small/200 bs=1 seek=100 conv=notrunc status=none
for engine in "${engines[@]}"; do
    expect_status 1 "$TREEMILL" verify --engine="$engine" --quiet want
    check "the file that differs is named" grep -qx 'tree/small/200: FAILED' out
done

# What is used is said.
expect_status 0 "$TREEMILL" hash -v --engine=openssl tree
check "-v names the engine" grep -q 'sha256 by openssl' err
expect_status 0 "$TREEMILL" hash -v tree
check "-v gives the figures" grep -Eq 'sha256 by (multibuffer|openssl): ' err
expect_status 0 "$TREEMILL" info
check "info lists the engines" grep -Eq '^  multibuffer +[^ ]' out
run "$TREEMILL" hash --engine=fast tree
check "a wrong engine" ends 2 "--engine: bad value 'fast'.*auto, openssl.*multibuffer.*"
finish
