#!/usr/bin/env bash
# verify: its options say and end with what sha256sum -c does, one by one and together; any number of
# manifests of any format; every digest of every format back and forth; files in no manifest.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

mkdir -p tree/sub
for name in a b c 'sub/two words' sub/$'new\nline' 'sub/back\slash'; do echo "$name" >"tree/$name"; done
reference tree >good
zeros=$(printf '%064d' 0)
sed '2s/^[0-9a-f]*/'"$zeros/" good >differing
{ cat good && echo junk && echo "12  tree/a"; } >malformed
{ cat good && echo "$zeros  tree/gone"; } >missing
echo "$zeros  tree/gone" >only-missing
echo junk >junk
: >nothing
printf '# words\n\n%s\n' "$(head -n 1 good)" >comments
sed 's/$/\r/' good >crlf
{ head -n 1 differing && cat differing malformed missing; } >everything

# Each set of options with each manifest: the same lines on standard output, the same exit status.
# (Of --quiet, --status and --warn, sha256sum obeys the last one only; here they go together.)
sets=()
for set in "" " --quiet" " --status" " --warn"; do
    sets+=("$set" "$set --strict" "$set --ignore-missing" "$set --strict --ignore-missing")
done
for manifest in good differing malformed missing only-missing junk nothing comments crlf everything; do
    for set in "${sets[@]}"; do
        theirs=0
        # shellcheck disable=SC2086  # options are words
        sha256sum -c $set $manifest >want 2>/dev/null || theirs=$?
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" verify $set $manifest
        check "status of verify$set $manifest is $theirs" [ "$status" -eq "$theirs" ]
        assert_same want out "verify$set $manifest prints what sha256sum prints"
    done
done
for model in "${models[@]}"; do
    for set in "" "--quiet --ignore-missing" "--status --strict" "--order=none"; do
        theirs=0
        # shellcheck disable=SC2086  # options are words
        sha256sum -c ${set/--order=none/} everything >want 2>/dev/null || theirs=$?
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" verify $set $model everything
        check "status of verify $set $model" [ "$status" -eq "$theirs" ]
        [[ $set != --order=none ]] || { sort -o want want && sort -o out out; }
        assert_same want out "verify $set $model prints what sha256sum prints"
    done
done

# What is said to people.
run "$TREEMILL" verify -q --warn malformed
check "--warn names each line" [ "$(grep -Ec '^treemill: malformed: line [78]: ' err)" -eq 2 ]
run "$TREEMILL" verify -q malformed
check "else they are counted" ends 0 '2 lines are improperly formatted'
run "$TREEMILL" verify --status --warn everything
check "--status prints no result" [ ! -s out ]

# Several manifests, each of its own format, one of them from standard input; -C.
(cd tree && "$TREEMILL" hash -q -a md5 --tag a) >one.bsd
(cd tree && "$TREEMILL" hash -q -a sha1,xxh3 --format=json b) >two.json
(cd tree && "$TREEMILL" hash -q -z sub) >three
mkdir copy && cp -r tree copy/
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify $model -C tree one.bsd - two.json <three
    check "several manifests $model" [ "$status $(grep -c ': OK$' out)" = "0 5" ]
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q $model -C copy good
    check "-C names the tree, not the manifest $model" [ "$status" -eq 0 ]
    check "... quietly $model" [ ! -s out ]
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q $model good nowhere
    check "a manifest that is missing $model" ends 2 'nowhere: open: No such file or directory'
done
run "$TREEMILL" verify -q -C nowhere good
check "a directory that is missing" ends 2 'nowhere: .*: No such file or directory'
run "$TREEMILL" verify -q good junk
check "a manifest without a checksum among others" \
    [ "$status $(grep -c 'junk: no properly formatted checksum lines found' err)" = "1 1" ]
run "$TREEMILL" verify -q tree
check "a directory as manifest" ends 2 'tree: .*: Is a directory'

# Files in no manifest, of several manifests, of odd names.
sed '$d' good >less
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    {
        run "$TREEMILL" verify -q $model --extra=report -C copy less
        check "--extra=report $model" [ "$status $(cat out)" = "0 tree/sub/two words: EXTRA" ]
        run "$TREEMILL" verify -q $model --extra=fail -C copy less
        check "--extra=fail $model" [ "$status $(cat out)" = "1 tree/sub/two words: EXTRA" ]
        run "$TREEMILL" verify -q $model --extra=ignore -C copy less
        check "--extra=ignore $model" [ "$status $(cat out)" = "0 " ]
        run "$TREEMILL" verify -q $model --extra=fail -C copy less good
        check "--extra=fail with several manifests $model" [ "$status $(cat out)" = "0 " ]
        run "$TREEMILL" verify -q $model --extra=fail '--exclude=two*' -C copy less
        check "--extra=fail with --exclude $model" [ "$status $(cat out)" = "0 " ]
        run "$TREEMILL" verify --status $model --extra=fail -C copy less
        check "--extra=fail --status $model" [ "$status $(cat out)" = "1 " ]
    }
done
touch copy/$'odd\nname'
run "$TREEMILL" verify -q --extra=report -C copy good
check "an odd name is one line" [ "$(cat out)" = '\odd\nname: EXTRA' ]

# Every digest that a format can hold, back and forth; a changed byte is seen by each.
algorithms="md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-256 sha3-512 blake2b blake2s"
algorithms+=" crc32 xxh3 xxh128"
declare -A held=([mtree]="md5 sha1 sha256 sha384 sha512" [hashdeep]="md5 sha1 sha256")
cp -r tree plain && rm plain/sub/new* # a name that hashdeep's lines cannot hold
cp -r plain changed && echo x >changed/b
for format in gnu gnu0 bsd json mtree hashdeep; do
    for algorithm in ${held[$format]:-$algorithms}; do
        (cd plain && "$TREEMILL" hash -q -a "$algorithm" --format=$format .) >list ||
            fail "hash -a $algorithm --format=$format"
        # Untagged digests of the same length are told apart by -a.
        run "$TREEMILL" verify -q --strict -a "$algorithm" --extra=fail -C plain list
        check "$format of $algorithm" [ "$status" -eq 0 ]
        check "$format of $algorithm, silent" [ -z "$(cat out err)" ]
        run "$TREEMILL" verify -q -a "$algorithm" -C changed list
        check "$format of $algorithm sees a changed byte" \
            grep -qx '1 \(\./\)\?b: FAILED' <(echo "$status $(cat out)")
    done
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        (cd plain && "$TREEMILL" hash -q $model -a md5 --format=$format .) >list
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" verify -q --strict -a md5 --extra=fail $model -C plain - <list
        check "$format from standard input $model" [ "$status" -eq 0 ]
    done
    for algorithm in $algorithms; do
        [[ " ${held[$format]:-$algorithms} " != *" $algorithm "* ]] || continue
        run "$TREEMILL" hash -q -a "$algorithm" --format=$format tree
        check "$format has no place for $algorithm" ends 2 '.*'
    done
done
# All in one read are what each is alone, under every model.
for algorithm in $algorithms; do
    "$TREEMILL" hash -q --tag -a "$algorithm" tree
done | LC_ALL=C sort >want
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q $model --tag -a "${algorithms// /,}" tree
    check "all digests in one read $model" cmp -s want <(LC_ALL=C sort out)
done

# b3sum's lists: the format is read, and a digest that is not ours is never taken for a match.
sed 's/^[\]//' good | grep -v '[\]' >b3-style
run "$TREEMILL" verify -q --strict b3-style
check "b3sum-style lines" [ "$status" -eq 0 ]
if has b3sum; then
    b3sum tree/a tree/b >list
    run "$TREEMILL" verify list
    check "a BLAKE3 digest is no SHA-256" [ "$status $(grep -c ': FAILED$' out)" = "1 2" ]
fi
echo "BLAKE3 (tree/a) = $zeros" >list
run "$TREEMILL" verify -q list
check "an unknown tag" \
    [ "$status $(grep -c 'tree/a: verify: list, line 1: no digest that can be checked' err)" = "1 1" ]

# Results that cannot be written are no success.
for model in "${models[@]}"; do
    status=0
    # shellcheck disable=SC2086  # options are words
    timeout 120 "$TREEMILL" verify --progress=never -C copy $model good >/dev/full 2>err || status=$?
    summed_up
    check "verify, a full standard output $model" \
        ends 2 'standard output: write: No space left on device'
    yes "$(head -n 1 good)" | head -n 20000 >long
    # shellcheck disable=SC2086  # options are words
    timeout 120 "$TREEMILL" verify $model long 2>err | head -n 1 >out
    status=${PIPESTATUS[0]}
    summed_up
    check "verify, a reader that leaves $model" ends 2 'standard output: write: Broken pipe'
done
# SFV: names that begin with digits, or are nothing but digits.
mkdir dated
(cd dated && echo a >"20240101 photo.jpg" && echo b >deadbeef && echo c >plain)
if has rhash; then
    (cd dated && rhash --sfv "20240101 photo.jpg" deadbeef plain) >dated.sfv
    run "$TREEMILL" verify -C dated dated.sfv
    check "digits in names of SFV" [ "$status $(grep -c ': OK$' out)" = "0 3" ]
fi
# --fail-fast: the first is the last one told of.
printf '%064d  deadbeef\n%064d  plain\n' 1 2 >two-wrong
for option in "" --read=inline; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q --fail-fast $option -C dated two-wrong
    check "--fail-fast $option" [ "$status $(grep -c FAILED out)" = "1 1" ]
done

finish
