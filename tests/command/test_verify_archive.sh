#!/usr/bin/env bash
# treemill verify --archive: the members of archives of every kind against manifests of every
# format, without a file being made; by every model, and what is missing, wrong or too much.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has bsdtar || skip "bsdtar is not installed to make archives"

mkdir -p t/sub t/deep/er
seq 1 100000 >t/sub/numbers
head -c 5000000 /dev/urandom >t/large
head -c 5000 /dev/urandom >t/small
: >t/empty
for i in {1..40}; do seq 1 "$i" >"t/deep/er/f$i"; done
printf 'x\n' >t/$'new\nline'
ln -s sub/numbers t/link
ln t/small t/zecond
truncate -s 3M t/sparse
printf end >>t/sparse
mkfifo t/fifo
"$TREEMILL" hash -q t >sums 2>err # and skips the FIFO
expected() { sed 's/^\(\\\?\)[0-9a-f]*  /\1/; s/$/: OK/' "$1"; }
expected sums >want
lines=$(wc -l <sums)
check "the manifest has $lines lines" [ "$lines" -eq 47 ]

mkdir a
tar -cf a/gnu.tar t
tar -Scf a/sparse.tar t
tar --format=posix -cf a/pax.tar t
tar -czf a/gnu.tar.gz t
tar -c t | zstd -q >a/gnu.tar.zst
tar -cJf a/gnu.tar.xz t
bsdtar -cf a/newc.cpio --format=newc t
bsdtar -cf a/odc.cpio --format=odc t
"$TREEMILL" create -q a/ours.tar t
"$TREEMILL" create -q a/ours.tar.gz t
"$TREEMILL" create -q a/ours.tar.zst t
rm t/fifo
bsdtar -cf a/bsd.zip --format=zip t
"$TREEMILL" create -q a/ours.zip t
bsdtar -cf a/bsd.7z --format=7zip t

results() { # what the last run printed, in the order of names
    LC_ALL=C sort out >sorted
}
LC_ALL=C sort -o want want
for path in a/*; do
    run "$TREEMILL" verify -q --archive="$path" sums
    check "$path" [ "$status$(cat out err)" = 0 ]
    run "$TREEMILL" verify --archive="$path" sums
    check "$path: status" [ "$status" -eq 0 ]
    results
    assert_same sorted want "lines of $path"
    check "$path: as many are counted" grep -Eq "^treemill: checked $lines files, " err
    run "$TREEMILL" verify --status --archive="$path" sums
    check "$path: --status" [ "$status$(cat out)" = 0 ]
done
# Their order is that of the manifest.
tac sums >backwards
run "$TREEMILL" verify --archive=a/ours.tar.zst backwards
expected backwards >wanted
assert_same out wanted "the order of the lines"
check "nothing was made" [ "$(ls)" = $'a\nbackwards\nerr\nout\nsorted\nsums\nt\nwant\nwanted' ]

# From standard input, and by every format of manifests.
for name in gnu.tar gnu.tar.gz ours.tar.zst gnu.tar.xz newc.cpio; do
    # shellcheck disable=SC2002  # a pipe is what is meant
    cat "a/$name" | "$TREEMILL" verify -q --archive=- sums >out 2>err
    status=$?
    check "$name from a pipe" [ "$status$(cat out err)" = 0 ]
    run "$TREEMILL" verify -q --archive="a/$name" - <sums
    check "$name and a manifest from standard input" [ "$status$(cat out err)" = 0 ]
done
run "$TREEMILL" verify --archive=- - <sums
check "not both" ends 2 'standard input cannot be both archive and manifest'
for format in gnu bsd gnu0 mtree hashdeep json; do
    "$TREEMILL" hash -q -a md5,sha256 --format=$format t/sub t/large t/deep >m.$format
    for name in ours.tar.gz gnu.tar ours.zip bsd.7z; do
        run "$TREEMILL" verify -q --archive=a/$name m.$format
        check "$format, $name" [ "$status$(cat out err)" = 0 ]
    done
done
"$TREEMILL" hash -q -a blake2b,xxh3 --tag t/large t/small t/zecond t/sparse >m.two
for name in gnu.tar.zst sparse.tar ours.zip; do
    run "$TREEMILL" verify --archive=a/$name m.two
    check "two digests, $name" [ "$status $(grep -c ': OK$' out)" = "0 8" ]
done
printf '#mtree\n./t/small type=file size=5000\n./t/large type=file size=7\n' >m.sizes
run "$TREEMILL" verify --archive=a/ours.tar m.sizes
check "sizes alone" [ "$status $(cat out)" = $'1 ./t/small: OK\n./t/large: FAILED' ]

# What differs, is missing, is something else.
cat >odd <<END
$(printf '%064d' 0)  t/large
$(printf '%064d' 0)  t/absent
$(printf '%064d' 0)  t/sub
$(printf '%064d' 0)  t/link
$(printf '%064d' 0)  ../t/small
$(sha256sum <t/small | cut -c 1-64)  ./t//small
$(sha256sum <t/small | cut -c 1-64)  /t/zecond
$(printf '%064d' 0)  t/zecond
END
cat >wanted <<'END'
t/large: FAILED
t/absent: FAILED open or read
t/sub: FAILED open or read
t/link: FAILED open or read
../t/small: FAILED open or read
./t//small: OK
/t/zecond: OK
t/zecond: FAILED
END
for path in a/*; do
    run "$TREEMILL" verify --archive="$path" odd
    check "$path: what is wrong: status" [ "$status" -eq 1 ]
    assert_same out wanted "what is wrong in $path"
    check "$path: in words" [ "$(grep -c ': not in the archive$' err) $(grep -c 'Not a regular file' err)" = "2 2" ]
    check "$path: in numbers" grep -q '^treemill: .*2 computed checksums did NOT match' err
    check "$path: missing" grep -q '^treemill: .*2 listed files are missing' err
done
run "$TREEMILL" verify -q --ignore-missing --archive=a/ours.tar.gz <(grep -v 't/large\|t/sub\|t/link\|t/zecond$' odd)
check "--ignore-missing" [ "$status$(cat out err)" = 0 ]
run "$TREEMILL" verify --archive=a/ours.tar.gz --fail-fast odd
check "--fail-fast" [ "$status $(cat out)" = "1 t/large: FAILED" ]
{ cat sums && echo nonsense; } >strict
run "$TREEMILL" verify -q --archive=a/gnu.tar strict
check "a malformed line" ends 0 '1 line is improperly formatted'
run "$TREEMILL" verify -q --strict --archive=a/gnu.tar strict
check "--strict" ends 1 '1 line is improperly formatted'
run "$TREEMILL" verify --json --archive=a/ours.zip odd
check "events" [ "$(grep -c '"result":"ok"' out) $(grep -c '"result":"failed"' out) $(grep -c '"result":"missing"' out)" = "2 4 2" ]

# Members that no manifest names.
grep -v 't/small$\|t/deep/er/f7$' sums >fewer
for name in ours.tar.gz gnu.tar bsd.7z ours.zip newc.cpio; do
    run "$TREEMILL" verify -q --extra=report --archive=a/$name fewer
    fifo=1
    [[ $name == *zip || $name == *7z ]] && fifo=0
    results
    check "$name: extra" [ "$status $(grep -v fifo sorted)" = $'0 t/deep/er/f7: EXTRA\nt/small: EXTRA' ]
    check "$name: a FIFO is extra" [ "$(grep -c '^t/fifo: EXTRA$' out)" -eq $fifo ]
    run "$TREEMILL" verify -q --extra=fail --archive=a/$name fewer
    check "$name: --extra=fail" [ "$status" -eq 1 ]
    run "$TREEMILL" verify -q --extra=fail --exclude=small --exclude=f7 --exclude=fifo --archive=a/$name fewer
    check "$name: --exclude" [ "$status$(cat out err)" = 0 ]
done

# Names that are relative to a directory in the archive.
(cd t && "$TREEMILL" hash -q . >../inner)
for name in ours.tar.zst gnu.tar ours.zip; do
    run "$TREEMILL" verify -q -C t --archive=a/$name inner
    check "$name: --directory" [ "$status$(cat out err)" = 0 ]
    run "$TREEMILL" verify -q -C ./t/sub/ --extra=fail --archive=a/$name <(sha256sum <t/sub/numbers | sed s/-/numbers/)
    check "$name: and nothing else is extra" [ "$status$(cat out err)" = 0 ]
    run "$TREEMILL" verify -q -C t/s --archive=a/$name inner
    check "$name: of another one nothing is there" [ "$status" -eq 1 ]
done
run "$TREEMILL" verify -C ../t --archive=a/gnu.tar inner
check "none that leads elsewhere" ends 2 "--directory: no member can be below '../t'"

# Of several members of one name the last one; hard links when their target is none of the listed.
cp a/gnu.tar twice.tar
echo new >t/small
tar -rf twice.tar t/small
sha256sum t/small >new
run "$TREEMILL" verify -q --archive=twice.tar new
check "the last of one name" [ "$status$(cat out err)" = 0 ]
grep 't/zecond' sums >second
for name in gnu.tar pax.tar ours.tar.gz newc.cpio odc.cpio; do
    run "$TREEMILL" verify --archive=a/$name second
    check "a hard link in $name" [ "$status$(cat out)" = "0t/zecond: OK" ]
done
tar --delete -f twice.tar t/small 2>err
run "$TREEMILL" verify -q --archive=twice.tar second
check "a hard link to nothing" [ "$status $(cat out)" = "3 t/zecond: FAILED open or read" ]

# Archives that are not whole, or not right.
flipped() { # FILE PLACE: another bit there
    printf '%b' "\\x$(printf %02x $((0x$(xxd -s "$2" -l 1 -p "$1") ^ 16)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
for name in ours.zip bsd.zip bsd.7z gnu.tar gnu.tar.gz ours.tar.gz ours.tar.zst gnu.tar.xz newc.cpio; do
    cp "a/$name" bad
    flipped bad $(($(stat -c %s bad) / 2))
    run "$TREEMILL" verify --archive=bad sums
    check "$name, a bit is another: status" [ "$status" -eq 1 ]
    check "$name, a bit is another: not all are OK" [ "$(grep -c ': OK$' out)" -lt "$lines" ]
    check "$name, a bit is another: each has its line" [ "$(wc -l <out)" -eq "$lines" ]
    head -c $(($(stat -c %s "a/$name") / 2)) "a/$name" >bad
    run "$TREEMILL" verify --archive=bad sums
    check "half of $name" [ "$status" -eq 1 ]
    check "half of $name: in words" grep -q '^treemill: bad: ' err
done
head -c $(($(stat -c %s a/gnu.tar) / 2)) a/gnu.tar >bad
run "$TREEMILL" verify --archive=bad sums
check "what was not reached is not missing" [ "$(grep -c 'not in the archive' err)" -eq 0 ]
check "but not OK either" grep -q ': FAILED open or read$' out
run "$TREEMILL" verify -q --archive=sums sums
check "no archive" ends 1 'sums: read: no archive that is known'
run "$TREEMILL" verify -q --archive=absent sums
check "none there" ends 2 'absent: open: .*'
run "$TREEMILL" verify -q --max-members=10 --archive=a/gnu.tar sums
check "--max-members" [ "$status" -eq 1 ]

# By every model.
for model in "${stage_models[@]}"; do
    for name in gnu.tar gnu.tar.gz ours.tar.gz ours.tar.zst ours.zip bsd.7z; do
        run "$TREEMILL" verify --archive=a/$name --read="$model" --compress="$model" \
            --scan="$model" --hash="$model" --write="$model" sums
        results
        check "$name by $model" [ "$status$(cmp sorted want 2>&1)" = 0 ]
    done
done

finish
