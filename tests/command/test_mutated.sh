#!/usr/bin/env bash
# Archives of every kind, changed in all ways, with fixed seeds: whatever they have become, nothing
# crashes, hangs, or is changed outside the target (tests/hostile/mutate.c). A thousand of them with
# a sanitizer, which would see the slightest slip, and some more without. MUTATED=N: so many;
# MUTATED_FIRST=N: from that number on.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022
mutate=$(dirname "${DENY:-}")/mutate
[ -x "$mutate" ] || skip "tests/hostile/mutate.c is not built"

# What archives are made of: small, but something of everything.
mkdir -p tree/deep/er seeds
echo one >tree/one
seq 1 3000 >tree/deep/er/numbers
head -c 3000 /dev/zero >tree/zeros
: >tree/empty
ln -s ../one tree/deep/link
ln tree/one tree/hard
mkfifo tree/fifo
chmod 4755 tree/zeros
chmod 700 tree/deep/er
truncate -s 100000 tree/sparse
echo end >>tree/sparse
setfattr -n user.colour -v blue tree/one 2>/dev/null
long=$(printf 'long%.0s' {1..50})
echo long >"tree/$long"
find tree -exec touch -h -d '2020-02-02 02:02:02.5' {} +

made() { # NAME COMMAND...: a seed, if the command can make it, with or without all that is there
    local name=$1
    shift
    "$@" >/dev/null 2>&1
    if [ -s "$name" ]; then
        mv "$name" seeds/
    else
        left_out "$name"
        rm -f "$name"
    fi
}
for format in oldgnu gnu posix; do
    made "$format.tar" tar --sort=name -Sc --format=$format -f "$format.tar" tree
done
for format in v7 ustar; do
    made "$format.tar" tar --sort=name -c --format=$format -f "$format.tar" tree/one tree/deep
done
made attributes.tar tar -c --format=posix --xattrs --acls -f attributes.tar tree/one tree/deep
made ours.tar "$TREEMILL" create -q --xattrs ours.tar tree
for suffix in tar.gz tar.zst zip; do
    made "ours.$suffix" "$TREEMILL" create -q --block-size=4K "ours.$suffix" tree
done
made foreign.tar.gz tar -czf foreign.tar.gz tree/one tree/deep tree/hard
made foreign.tar.xz tar -cJf foreign.tar.xz tree/one tree/deep tree/hard
made foreign.tar.bz2 tar -cjf foreign.tar.bz2 tree/one tree/deep tree/hard
made foreign.tar.zst tar --zstd -cf foreign.tar.zst tree/one tree/deep tree/hard
for format in newc odc cpio; do
    made "$format.cpio" bsdtar --format $format -cf "$format.cpio" tree
done
for format in iso9660 7zip xar ar shar mtree; do
    made "$format.$format" bsdtar --format $format -cf "$format.$format" tree/one tree/deep/er
done
made info.zip zip -qry info.zip tree/one tree/deep tree/zeros
made stored.zip zip -qry0 stored.zip tree/one tree/deep
made encrypted.zip zip -qry -P secret encrypted.zip tree/one tree/zeros
made locked.7z 7z a -psecret -mhe=on locked.7z tree/one
if has python3; then
    mkdir hostile
    PYTHONDONTWRITEBYTECODE=1 python3 "$SOURCE/tests/hostile/make.py" hostile "$work/seeds"
    for name in symlink-chain.tar sparse-name.tar zip-zip64.zip cpio-hard-links-out.cpio \
        cab-dotdot.cab lha-dotdot.lzh xar-dotdot.xar warc-dotdot.warc index-honest.tar.gz; do
        mv "hostile/$name" seeds/ || fail "$name is not among the hostile archives"
    done
    rm -rf hostile
fi

count=700
[ -z "${SANITIZE:-}" ] || count=1000
with_processes || export MUTATE_WITHOUT_PROCESSES=1
mkdir mutated
"$mutate" seeds mutated "${MUTATED:-$count}" "${MUTATED_FIRST:-0}"
check "the changed archives" [ $? -eq 0 ]
finish
