#!/usr/bin/env bash
# Archives and lists that were made once, by this program and by others, stay readable.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
export TZ=UTC # zip has no other times
fixtures=$SOURCE/fixtures

contents() { # of ./tree, but for the sparse file, which not all can store
    find tree ! -name sparse -printf '%y %s %Ts %l %p\n' | sed 's/^d [0-9]*/d/' | LC_ALL=C sort -k 5
}

expect_status 0 "$TREEMILL" extract -q -C want "$fixtures/treemill-0.1.0.tar"
(cd want && contents) >want.contents
(cd want && find tree ! -name sparse | LC_ALL=C sort) >want.names
check "the tree is as it was" [ "$(wc -l <want.contents)" -eq 44 ]
expect_status 0 "$TREEMILL" verify -q --extra=fail -C want "$fixtures/tree.sha256"
check "two names of one file" [ want/tree/text -ef want/tree/text-again ]

for archive in "$fixtures"/*.tar* "$fixtures"/*.zip "$fixtures"/*.7z "$fixtures"/*.cpio.gz; do
    name=${archive##*/}
    expect_status 0 "$TREEMILL" test -q "$archive"
    expect_status 0 "$TREEMILL" verify -q --ignore-missing --extra=fail --archive="$archive" "$fixtures/tree.sha256"
    "$TREEMILL" list -q "$archive" | sed 's|^\./||; s|/$||' | grep -vx tree/sparse | LC_ALL=C sort >names
    check "$name: names" diff names want.names
    rm -rf got
    expect_status 0 "$TREEMILL" extract -q -C got "$archive"
    check "$name: files, kinds, times" diff <(cd got && contents) want.contents
    expect_status 0 "$TREEMILL" verify -q --ignore-missing -C got "$fixtures/tree.sha256"
    [ ! -e got/tree/sparse ] || check "$name: holes" cmp -s got/tree/sparse want/tree/sparse
    expect_status 0 "$TREEMILL" extract -q -C one "$archive" tree/below/deeper/more
    check "$name: one member" cmp -s one/tree/below/deeper/more want/tree/below/deeper/more
    rm -rf one
done

for list in md5sum.md5 rhash-bsd.sha1 hashdeep.txt bsdtar.mtree; do
    run "$TREEMILL" verify -C want "$fixtures/$list"
    check "$list" [ "$status$(grep -c ': OK$' "$work/out")" = 02 ]
done

# Nothing in the form of a plain tar depends on a library or a machine.
(cd want && expect_status 0 "$TREEMILL" create -q --reproducible --block-size=8K ../again.tar tree)
assert_same again.tar "$fixtures/treemill-0.1.0.tar" "the same archive again"
finish
