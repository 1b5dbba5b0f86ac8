#!/usr/bin/env bash
# Every model of every stage of extract, alone and in mixtures, for each way in which archives are
# read: the same tree and the same manifest.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

mkdir -p tree/{a,b/c} tree/d/{e,f}/g tree/empty
for i in {1..60}; do head -c $((i * 37 % 3000)) /dev/urandom >"tree/a/f$i"; done
for i in {1..20}; do echo "$i" >"tree/d/e/g/$i"; done
seq 1 400000 | head -c 2400001 >tree/b/large
head -c 1300000 /dev/urandom >tree/b/random
ln tree/b/large tree/a/again
ln -s large tree/b/link
truncate -s 3M tree/b/c/holes
echo middle | dd of=tree/b/c/holes bs=1 seek=1500000 conv=notrunc status=none
: >tree/b/empty
chmod 700 tree/d/f
chmod 555 tree/d/e/g
find tree -exec touch -h -d '2001-02-03 04:05:06' {} +

for suffix in tar tar.gz tar.zst zip; do "$TREEMILL" create -q "t.$suffix" tree 2>err; done
# Each file twice, the first time with other contents: the second is to stay.
mkdir before
cp -r tree before/tree
# shellcheck disable=SC2016  # the other sh expands it
find before -type f -exec chmod u+w {} + -exec sh -c 'for f; do echo old >"$f"; done' sh {} +
tar -cf twice.tar -C before tree
tar -rf twice.tar tree
gzip -k twice.tar
tar -czf foreign.tar.gz tree
tar -cf - tree | xz -0 >foreign.tar.xz
archives=(t.tar t.tar.gz t.tar.zst foreign.tar.gz foreign.tar.xz t.zip twice.tar twice.tar.gz)
! has 7z || { 7z a -snl t.7z tree >out && archives+=(t.7z); }
! has bsdtar || { bsdtar -cf t.cpio --format=newc tree && archives+=(t.cpio); }

modes() { # DIR: what diff does not compare
    (cd "$1" && find . -printf '%P %m %T@\n' | LC_ALL=C sort)
}
modes tree >want-modes

# From files and pipes in turn; a zip tells a pipe neither modes nor links, a 7z nothing.
number=0
same() { # OPTION...: one archive after the other
    local archive=${archives[$((number++ % ${#archives[@]}))]}
    ! [[ $* == *processes* ]] || with_processes || return 0
    chmod -R u+w x 2>/dev/null
    rm -rf x m
    if [ $((number % 4)) -eq 0 ] && [ "$archive" != t.zip ] && [ "$archive" != t.7z ]; then
        # shellcheck disable=SC2016  # the other bash expands it
        run bash -c 'cat "$1" | "$TREEMILL" extract -q -p -C x "${@:2}" -' bash "$archive" "$@"
    else
        run "$TREEMILL" extract -q -p --manifest=m -C x "$@" "$archive"
        case $archive in
        twice*) ;; # tells of what was read: of both
        *) check "the manifest of $archive $*" bash -c 'cd x && sha256sum --quiet --strict -c ../m' ;;
        esac
    fi
    check "extract $archive $*" [ "$status$(cat err)" = 0 ]
    check "the tree of $archive $*" diff -r --no-dereference tree x/tree
    modes x/tree >got-modes
    check "modes and times of $archive $*" cmp -s want-modes got-modes
}

for stage in scan read hash compress write; do
    for model in "${counted_models[@]}"; do
        same "--$stage=$model"
    done
done
for model in "${counted_models[@]}"; do
    for _ in 1 2; do
        same --scan="$model" --read="$model" --hash="$model" --compress="$model" --write="$model"
    done
    same --stages="read=threads:2;hash=$model;compress=threads:3;write=$model"
done
for read in inline threads:2 processes:2; do
    for write in inline threads:2 processes:1; do
        same --scan=$write --read=$read --hash=$write --compress=$read --write=$write
    done
done
for _ in "${archives[@]}"; do
    same --memory=24M
done

finish
