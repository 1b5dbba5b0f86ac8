#!/usr/bin/env bash
# verify never says OK of a file that it has not compared with a digest, and says why: digests that
# are not ours or whose algorithm nothing tells, things that are no files, lists not read to the end.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

mkdir tree
echo a >tree/a
echo b >tree/b
md5=$(md5sum tree/a | cut -d ' ' -f 1)
sha256=$(sha256sum tree/a | cut -d ' ' -f 1)
zeros=$(printf '%064d' 0)

# unchecked NAME TEXT: the list names tree/a with nothing to compare it with
unchecked() {
    printf '%b' "$2" >list
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" verify --progress=never $model list
        summed_up
        check "$1 $model" [ "$status$(cat out)" = 1 ]
        check "$1, said $model" grep -Eq '^treemill: (\./)?tree/a: verify: list, line [0-9]: ' err
        check "$1, counted $model" grep -qx 'treemill: 1 listed file could not be checked' err
    done
}
unchecked "JSON with another digest" '{"path":"tree/a","blake3":"00"}\n'
unchecked "JSON with a size" '{"path":"tree/a","size":2}\n'
unchecked "mtree with another digest" '#mtree\n./tree/a type=file rmd160digest=00\n'
unchecked "mtree with another digest and a size" '#mtree\n./tree/a type=file size=2 rmd160digest=00\n'
unchecked "mtree with nothing" '#mtree\n./tree/a type=file\n'
unchecked "hashdeep with another digest" \
    '%%%% HASHDEEP-1.0\n%%%% size,whirlpool,filename\n2,00,tree/a\n'
unchecked "another tag" "BLAKE3 (tree/a) = $zeros\n"
unchecked "16 digits" '0123456789abcdef  tree/a\n'
unchecked "8 digits" '01234567  tree/a\n'
# Beside good lines, too.
printf 'SHA256 (tree/b) = %s\nBLAKE3 (tree/a) = %s\n' \
    "$(sha256sum tree/b | cut -d ' ' -f 1)" "$zeros" >list
run "$TREEMILL" verify -q list
check "another tag among good lines" [ "$status" -eq 1 ]

# What can be checked is enough.
printf '#mtree\n./tree/a type=file size=2 mode=0644\n' >list
expect_status 0 "$TREEMILL" verify -q list
printf '#mtree\n./tree/a type=file size=3 mode=0644\n' >list
expect_status 1 "$TREEMILL" verify -q list
printf '#mtree\n./tree/a type=file rmd160digest=00 md5digest=%s\n' "$md5" >list
expect_status 0 "$TREEMILL" verify -q list
for order in cat tac; do
    printf 'MD5 (tree/a) = %s\nRMD160 (tree/a) = 0011223344\n' "$md5" | $order >list
    run "$TREEMILL" verify -q list
    check "a file of two lines, by $order" [ "$status$(cat out err)" = 0 ]
done

# What the libraries do not offer here.
printf '%s\n' 'openssl_conf = init' '[init]' 'alg_section = alg' '[alg]' \
    'default_properties = fips=yes' >openssl.cnf
echo "$md5  tree/a" >list
if OPENSSL_CONF=$work/openssl.cnf "$TREEMILL" info | grep -Eq '^  md5 +not available'; then
    run env OPENSSL_CONF="$work/openssl.cnf" "$TREEMILL" verify list
    check "an algorithm that is not offered" [ "$status$(cat out)" = 1 ]
    check "... said" grep -qx 'treemill: tree/a: verify: list, line 1: .*not offered.*' err
else
    left_out "an algorithm that is not offered: OpenSSL's configuration cannot forbid md5"
fi

# Which algorithm it is: by --algorithm, by the manifest's name, or a guess that is owned up to.
for pair in crc32:crc32 xxh3:xxh3 blake2b:b2 blake2s:blake2s sha3-256:sha3-256; do
    "$TREEMILL" hash -q --format=gnu0 -a "${pair%:*}" tree/a >list
    tr '\0' '\n' <list >"list.${pair#*:}"
    run "$TREEMILL" verify -q "list.${pair#*:}"
    check "*.${pair#*:}" [ "$status$(cat out err)" = 0 ]
    run "$TREEMILL" verify -q -a "${pair%:*}" - <list
    check "-a ${pair%:*}" [ "$status$(cat out err)" = 0 ]
done
echo "$zeros  tree/a" >list.b3
echo "$zeros  tree/b" >>list.b3
cp list.b3 B3SUMS
for list in list.b3 B3SUMS; do
    run "$TREEMILL" verify $list
    check "$list is no list of SHA-256" [ "$status$(cat out)" = 1 ]
    check "$list, in one line" [ "$(grep -c BLAKE3 err)" -eq 1 ]
    check "$list, counted" grep -qx 'treemill: 2 listed files could not be checked' err
done
echo '0123456789abcdef  tree/a' >list.xxh64
run "$TREEMILL" verify list.xxh64
check "*.xxh64" [ "$status $(grep -c 'list.xxh64: .*XXH64' err)" = "1 1" ]
echo "$zeros  tree/a" >list
run "$TREEMILL" verify -q list
check "a guess is told when something differs" \
    ends 1 '1 computed checksum did NOT match \(digests of 64 digits were taken as sha256; .*\)'
cp list SHA256SUMS
run "$TREEMILL" verify -q SHA256SUMS
check "what the name tells is no guess" ends 1 '1 computed checksum did NOT match'
echo "$sha256  tree/a" >list
run "$TREEMILL" verify -q list
check "a good guess is not told" [ "$status$(cat out err)" = 0 ]

# Our own manifests of names that end in CR; lists of other systems whose lines do.
printf c >tree/$'c\r'
for format in gnu bsd gnu0 mtree hashdeep json; do
    "$TREEMILL" hash -q --format=$format tree >list
    run "$TREEMILL" verify -q --strict --extra=fail -C . "--exclude=/[!t]*" list
    check "a name that ends in CR, $format" [ "$status$(cat out err)" = 0 ]
done
rm tree/$'c\r'
"$TREEMILL" hash -q --format=hashdeep tree | sed 's/$/\r/' >list
run "$TREEMILL" verify -q --strict list
check "hashdeep lines that end in CR" [ "$status$(cat out err)" = 0 ]
printf '  %s  tree/a\n\t%s *tree/a\n' "$sha256" "$md5" >list
sha256sum -c list >want 2>/dev/null
run "$TREEMILL" verify -q --strict list
check "blanks before a digest" [ "$status$(cat out err)" = 0 ]
check "blanks before a digest, as sha256sum reads them" grep -qx 'tree/a: OK' want

# No file where one is listed: missing, or something else.
mkdir tree/directory
mkfifo tree/fifo
for name in gone directory fifo; do echo "$sha256  tree/$name"; done >list
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify --progress=never $model list
    check "not a file $model" [ "$status" -eq 1 ]
    check "said as sha256sum does $model" cmp -s out <(
        printf 'tree/%s: FAILED open or read\n' gone directory fifo
    )
    for line in 'gone: open: No such file or directory' 'directory: read: Is a directory' \
        'fifo: read: Not a regular file'; do
        check "$line $model" grep -qx "treemill: tree/$line" err
    done
    check "counted once $model" grep -Eq '^treemill: checked 0 files.*, 2 differ, 1 missing$' err
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" verify -q --ignore-missing $model list
    check "--ignore-missing is silent $model" [ "$status$(grep -c gone out err)" = $'1out:0\nerr:0' ]
done
if has jq; then
    run "$TREEMILL" verify --json list
    check "--json: a missing file" [ "$(jq -r 'select(.path == "tree/gone") |
        .event + ":" + (.result // .operation)' out | paste -sd ' ')" = "error:open file:missing" ]
fi

# --fail-fast is no other exit status; what was not read is not judged.
echo "$sha256  tree/gone" >missing
echo "$zeros  tree/a" >differing
mkfifo silent
for list in missing differing; do
    exec 5<>silent
    run "$TREEMILL" verify -q --fail-fast $list - <silent
    exec 5>&-
    check "--fail-fast, $list" [ "$status" -eq 1 ]
    check "--fail-fast, $list: nothing of the list not read" [ "$(grep -c 'standard input' err)" -eq 0 ]
done
if [ "$(id -u)" -ne 0 ] || has setpriv; then
    echo secret >tree/secret
    chmod 0 tree/secret
    echo "$zeros  tree/secret" >list
    user=()
    [ "$(id -u)" -ne 0 ] || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    run "${user[@]}" "$TREEMILL" verify -q --fail-fast list
    check "--fail-fast, unreadable" [ "$status" -eq 3 ]
fi
exec 5<>silent
timeout --foreground -s INT 1 "$TREEMILL" verify - <silent >out 2>err
exec 5>&-
check "interrupted while waiting for a list" [ "$(grep -c 'no properly' err)" -eq 0 ]

# Several manifests: whose lines are malformed.
echo junk >>missing
echo "$sha256  tree/a" >good
run "$TREEMILL" verify -q missing good
check "malformed lines of one of several" grep -qx 'treemill: missing: 1 line is improperly formatted' err

# Names that --extra cannot find.
rm -rf tree/directory tree/fifo tree/secret tree/b
printf '%s  %s\n' "$sha256" "$work/tree/a" "$sha256" tree/../tree/a "$sha256" tree/a >good
run "$TREEMILL" verify -q --extra=fail '--exclude=/[!t]*' good
check "--extra with names outside" ends 0 "2 listed names are absolute or with '..': .*"
run "$TREEMILL" verify -q good
check "without --extra" [ "$status$(cat out err)" = 0 ]

finish
