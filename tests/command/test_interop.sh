#!/usr/bin/env bash
# Manifests in both directions with the tools that people have: ours checked by them, theirs by us,
# with names that break careless parsers. A tool that is missing, or cannot hold some names, is
# said so and left out; the rest counts.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

# runs NAME COMMAND...: passes when the command does
runs() {
    local name=$1
    shift
    if "$@" >"$work/out" 2>"$work/err"; then pass; else fail "$name (status $?)"; fi
}

# refuses NAME COMMAND...: passes when the command ends with status 1
refuses() {
    local name=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    if [ $status -eq 1 ]; then pass; else fail "$name (status $status)"; fi
}

make_names() { # DIRECTORY: names that every format can hold but some tools cannot
    mkdir -p "$1"
    printf a >"$1/plain"
    printf b >"$1/two words"
    printf c >"$1/ leading space"
    printf d >"$1/-dash"
    printf e >"$1/*"
    printf '%s' "f" >"$1/star*name"
    printf h >"$1/utf-8-ä"
    printf i >"$1/(parens) = x"
}

make_hard_names() {
    make_names "$1"
    printf j >"$1/back\\slash"
    printf k >"$1"/$'new\nline'
    printf l >"$1"/$'carriage\rreturn'
    printf g >"$1"/$'bytes-\xff\xfe'
    printf m >"$1"/$'tab\tname'
}

make_names easy
make_hard_names hard
find hard -type f -print0 | LC_ALL=C sort -z >hard.names
find easy -type f -print0 | LC_ALL=C sort -z >easy.names

# gnu, gnu0 and bsd of each coreutils algorithm, byte for byte, and back.
for pair in md5:md5sum sha1:sha1sum sha224:sha224sum sha256:sha256sum sha384:sha384sum \
    sha512:sha512sum blake2b:b2sum; do
    algorithm=${pair%:*} tool=${pair#*:}
    xargs -0 "$tool" <hard.names >theirs
    runs "hash -a $algorithm" "$TREEMILL" hash -q -a "$algorithm" -f -o ours hard
    runs "$tool writes the same" cmp ours theirs
    runs "$tool -c" "$tool" -c --strict ours
    runs "verify $tool's" "$TREEMILL" verify -q --strict -a "$algorithm" theirs
    xargs -0 "$tool" --tag <hard.names >theirs
    runs "hash -a $algorithm --tag" "$TREEMILL" hash -q --tag -a "$algorithm" -f -o ours hard
    runs "$tool --tag writes the same" cmp ours theirs
    runs "$tool -c of tagged lines" "$tool" -c --strict ours
    runs "verify $tool --tag's" "$TREEMILL" verify -q --strict theirs
    xargs -0 "$tool" -z <hard.names >theirs
    runs "hash -a $algorithm -z" "$TREEMILL" hash -q -z -a "$algorithm" -f -o ours hard
    runs "$tool -z writes the same" cmp ours theirs
    runs "verify $tool -z's" "$TREEMILL" verify -q --strict -a "$algorithm" theirs
done

# Several algorithms in tagged lines.
runs "hash -a md5,sha256 --tag" "$TREEMILL" hash -q --tag -a md5,sha256,sha512 -f -o ours hard
runs "cksum -c" cksum -c --strict ours
runs "verify several algorithms" "$TREEMILL" verify -q --strict ours

# The other tools read no escapes: names that need none.
if has rhash; then
    for algorithm in crc32 md5 sha1 sha224 sha256 sha384 sha512 sha3-256 sha3-512 blake2b \
        blake2s; do
        runs "hash -a $algorithm" "$TREEMILL" hash -q -a "$algorithm" -f -o ours easy
        runs "rhash -c of $algorithm" rhash -c ours
        xargs -0 rhash "--$algorithm" --bsd <easy.names >theirs
        runs "verify rhash --bsd $algorithm" "$TREEMILL" verify -q --strict theirs
    done
    xargs -0 rhash --sha256 <easy.names >theirs
    runs "verify rhash --sha256" "$TREEMILL" verify -q --strict theirs
    # Names that need no escape, and are no text.
    mkdir bytes && printf g >bytes/$'bytes-\xff\xfe' && printf m >bytes/$'tab\tname'
    runs "hash of names that are no text" "$TREEMILL" hash -q -f -o ours bytes
    runs "rhash -c of names that are no text" rhash -c ours
    rhash -r --sha256 bytes >theirs
    runs "verify rhash's names that are no text" "$TREEMILL" verify -q --strict --extra=ignore theirs
fi
if has xxhsum; then
    for pair in xxh3:-H3 xxh128:-H2; do
        runs "hash -a ${pair%:*}" "$TREEMILL" hash -q -a "${pair%:*}" -f -o ours easy
        runs "xxhsum -c of ${pair%:*}" xxhsum -c ours
        xargs -0 xxhsum "${pair#*:}" <easy.names >theirs 2>/dev/null
        runs "verify xxhsum ${pair#*:}" "$TREEMILL" verify -q --strict -a "${pair%:*}" theirs
    done
fi
if has hashdeep; then
    runs "hash --format=hashdeep" \
        "$TREEMILL" hash -q --format=hashdeep -a md5,sha256 -f -o ours easy
    runs "hashdeep -a" hashdeep -l -r -a -k ours easy
    hashdeep -l -r -c md5,sha1,sha256 easy >theirs
    runs "verify hashdeep's" "$TREEMILL" verify -q --strict theirs
    printf g >easy/$'bytes-\xff\xfe' && printf j >'easy/back\slash'
    runs "hash --format=hashdeep, odd names" \
        "$TREEMILL" hash -q --format=hashdeep -a md5,sha256 -f -o ours easy
    runs "hashdeep -a, odd names" hashdeep -l -r -a -k ours easy
    hashdeep -l -r -c md5,sha1,sha256 easy >theirs
    runs "verify hashdeep's, odd names" "$TREEMILL" verify -q --strict theirs
    rm easy/bytes* easy/back*
fi
if has b3sum; then
    # BLAKE3 is not ours. Its lists are recognised by their name; without one, an untagged digest of
    # that length is taken as SHA-256, which fails and says what was guessed.
    xargs -0 b3sum <easy.names >theirs.b3
    refuses "verify b3sum's, by name" "$TREEMILL" verify -q theirs.b3
    cp err said
    runs "... said" grep -q 'theirs.b3: verify: .*BLAKE3' said
    cp theirs.b3 theirs
    refuses "verify b3sum's" "$TREEMILL" verify -q theirs
    cp err said
    runs "... said" grep -q 'were taken as sha256' said
    xargs -0 sha256sum <easy.names >theirs # the format is this, with another digest
    runs "verify b3sum-style" "$TREEMILL" verify -q --strict theirs
fi
if has bsdtar; then
    runs "hash --format=mtree" "$TREEMILL" hash -q --format=mtree -a sha256,md5 -f -o ours hard
    runs "bsdtar reads mtree" bsdtar -tf ours
    if [ "$(bsdtar -tf ours | wc -l)" -eq "$(tr -cd '\0' <hard.names | wc -c)" ]; then
        pass
    else
        fail "bsdtar sees as many files"
    fi
    bsdtar --format=mtree --options='sha256,size,type' -cf theirs hard
    runs "verify bsdtar's mtree" "$TREEMILL" verify -q --strict theirs
    bsdtar --format=mtree --options='!all,use-set,md5,size,type' -cf theirs hard
    runs "verify bsdtar's mtree with /set" "$TREEMILL" verify -q --strict theirs
fi
if has openssl; then
    xargs -0 openssl dgst -sha512-256 <easy.names >theirs
    runs "verify openssl dgst" "$TREEMILL" verify -q --strict theirs
fi
if has jq; then
    runs "hash --format=json" "$TREEMILL" hash -q --format=json -a sha256,xxh128 -f -o ours hard
    runs "jq reads it" jq -e '.sha256 | length == 64' ours
    runs "verify json" "$TREEMILL" verify -q --strict ours
    "$TREEMILL" hash -q --json hard >ours
    runs "--json events" jq -es 'map(select(.event == "file")) |
        length == 13 and all(.digests.sha256 | length == 64)' ours
    check "--json summary" [ "$(jq -r 'select(.event == "summary") | .files' ours)" -eq 13 ]
fi

# BagIt: percent-encoded names in manifest-ALG.txt.
mkdir -p bag/data && printf x >bag/data/$'a\nb' && printf y >bag/data/c%d
{
    printf '%s  data/a%%0Ab\n' "$(printf x | sha512sum | cut -d' ' -f1)"
    printf '%s  data/c%%25d\n' "$(printf y | sha512sum | cut -d' ' -f1)"
} >bag/manifest-sha512.txt
runs "verify BagIt" "$TREEMILL" verify -q --strict -C bag bag/manifest-sha512.txt

# A changed byte, a changed size, a missing and an extra file are seen in every format.
for format in gnu bsd gnu0 mtree hashdeep json; do
    rm -rf tree && make_names tree && printf z >tree/gone
    runs "hash --format=$format" "$TREEMILL" hash -q --format=$format -f -o ours tree
    runs "verify $format" "$TREEMILL" verify -q ours
    printf X >tree/plain
    refuses "verify sees a changed byte in $format" "$TREEMILL" verify -q ours
    printf a >tree/plain && rm tree/gone
    refuses "verify sees a missing file in $format" "$TREEMILL" verify -q ours
    runs "verify --ignore-missing in $format" "$TREEMILL" verify -q --ignore-missing ours
done
rm -rf tree && make_hard_names tree/sub && "$TREEMILL" hash -q tree/sub >ours
(cd tree && "$TREEMILL" hash -q . >../ours)
runs "verify --extra finds none" "$TREEMILL" verify -q --extra=fail -C tree ours
printf n >tree/sub/new
refuses "verify --extra=fail" "$TREEMILL" verify -q --extra=fail -C tree ours
cp out results
runs "the extra file is named" grep -q '^sub/new: EXTRA$' results
runs "verify --extra=report" "$TREEMILL" verify -q --extra=report -C tree ours

# Results as sha256sum -c prints them.
printf 'x' >tree/sub/plain
rm tree/sub/two*
(cd tree && sha256sum -c ../ours 2>/dev/null) >theirs
"$TREEMILL" verify -C tree ours >mine 2>err
if cmp -s mine theirs; then pass; else fail "results read as sha256sum's"; diff mine theirs; fi
(cd tree && sha256sum -c --quiet ../ours 2>/dev/null) >theirs
"$TREEMILL" verify --quiet -C tree ours >mine 2>err
if cmp -s mine theirs; then pass; else fail "--quiet reads as sha256sum's"; fi
refuses "--status" "$TREEMILL" verify --status -C tree ours
if [ -s out ] || [ -s err ]; then fail "--status prints nothing"; else pass; fi
echo "no list" >junk
refuses "a file that is no manifest" "$TREEMILL" verify junk
{ cat ours && echo junk; } >mixed
(cd tree && sha256sum -c ../mixed >/dev/null 2>&1)
make_hard_names tree/sub
runs "a malformed line is no failure" "$TREEMILL" verify -q -C tree mixed
refuses "--strict" "$TREEMILL" verify -q --strict -C tree mixed
runs "standard input" "$TREEMILL" verify -q -C tree - <ours
runs "several manifests" "$TREEMILL" verify -q -C tree ours mixed

finish
