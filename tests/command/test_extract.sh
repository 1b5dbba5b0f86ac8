#!/usr/bin/env bash
# treemill extract: what other programs put into archives comes out again, by every format and every
# filter, from a file and from a pipe; compared by bsdtar, tar, diff and getfattr.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022
has bsdtar || skip "bsdtar is not installed"

# What every format can hold.
make_plain() {
    local i
    mkdir -p tree/empty tree/deep/er tree/many tree/shut
    for i in 0 1 511 512 513 65536 1048575 1048577; do
        head -c "$i" /dev/urandom >"tree/size-$i"
    done
    yes 'text that compresses well' | head -c 2500000 >tree/deep/text
    for i in $(seq 1 100); do echo "file $i" >"tree/many/f$i"; done
    ln tree/deep/text tree/hard
    ln tree/many/f3 tree/deep/er/again
    ln -s deep/text tree/soft
    ln -s /nowhere/at/all tree/dangling
    ln -s ../size-1 tree/deep/up
    echo start >tree/sparse
    truncate -s 2500000 tree/sparse
    echo end >>tree/sparse
    chmod 640 tree/size-1
    chmod 755 tree/size-512
    chmod 1777 tree/empty
    chmod 555 tree/shut
    find tree -exec touch -h -d '2001-02-03 04:05:06' {} +
}

# And what some can: names, kinds, modes, times, attributes.
make_odd() {
    local i
    mkdir -p "odd/with space" "odd/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})"
    printf 'x' >"odd/with space/back\\slash"
    printf 'x' >"odd/-dash"
    printf 'x' >$'odd/new\nline'
    printf 'x' >$'odd/bytes-\xff\xfe'
    printf 'x' >"odd/*[star]?"
    printf 'x' >"odd/$(printf 'n%.0s' {1..255})"
    printf 'x' >"odd/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})/file"
    ln -s "$(printf 'l%.0s' {1..300})/target" odd/link
    ln "odd/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})/file" odd/hard
    ln -s $'new\nline' $'odd/soft-\xff\n'
    mkfifo odd/fifo
    : >odd/none
    truncate -s 3M odd/hole
    truncate -s 12M odd/many-holes
    for i in 1 3 4 8 11; do
        head -c 100000 /dev/urandom | dd of=odd/many-holes bs=1M seek=$i conv=notrunc status=none
    done
    chmod 4755 odd/none
    chmod 2750 odd/-dash
    if [ "$(id -u)" -eq 0 ]; then
        mkdir odd/nothing-allowed
        printf 'x' >odd/nothing-allowed/file
        chmod 000 odd/nothing-allowed odd/nothing-allowed/file
        chown -h 1234:4321 odd/link "odd/*[star]?"
    fi
    find odd -exec touch -h -d '2001-02-03 04:05:06.123456789' {} +
    touch -d '1960-02-03 04:05:06' odd/hard
    touch -d '2099-01-01 00:00:00.75' odd/hole
}

# How bsdtar sees a tree: names, kinds, modes, owners, times, sizes, links, contents.
describe() { # DIR NAME [SED-SCRIPT]
    (cd "$1" && bsdtar -cf - --format=mtree \
        --options='!all,type,mode,uid,gid,time,size,link,sha256,nlink' "$2" 2>/dev/null) |
        sed -E "${3:-}" | LC_ALL=C sort
}

# What a format does not keep: applied to both sides.
no_fraction='s/ time=(-?[0-9]+)\.[0-9]+/ time=\1/'
no_links='s/ nlink=[0-9]+//'
no_modes='s/ mode=[0-9]+//'
no_owners='s/ [ug]id=[0-9]+//g'

clean() {
    chmod -R u+rwx x 2>/dev/null # directories of some come without
    rm -rf x
}
extract() { # TEXT ARCHIVE OPTION...: into x, as much as it can keep
    clean
    expect_status 0 "$TREEMILL" extract -q -p -C x "${@:3}" "$2"
    check "$1: nothing to say" [ ! -s err ]
}
# same TEXT NAME SED-SCRIPT: NAME and x/NAME, but for what the script takes away
declare -A described
same() {
    if [ -z "${described[$2]:-}" ]; then
        describe . "$2" >"want-$2"
        described[$2]=yes
    fi
    sed -E "$3" "want-$2" >want
    describe x "$2" "$3" >got
    assert_same want got "$1: the same tree"
}

make_plain
make_odd
owner=()
[ "$(id -u)" -ne 0 ] || owner=(--same-owner)

# Our own.
for suffix in tar tar.gz tar.zst; do
    "$TREEMILL" create -q "a.$suffix" tree odd 2>err || fail "create a.$suffix"
    extract "own $suffix" "a.$suffix" "${owner[@]}"
    same "own $suffix" tree "$no_fraction"
    same "own $suffix" odd "$no_fraction"
    check "own $suffix: tar finds no difference" tar -df "a.$suffix" -C x
    clean
    run bash -c 'cat "$1" | "$TREEMILL" extract -q -p -C x "${@:2}" -' bash "a.$suffix" "${owner[@]}"
    check "own $suffix from a pipe" [ "$status$(cat err)" = 0 ]
    same "own $suffix from a pipe" odd "$no_fraction"
done
check "diff finds no difference" diff -r --no-dereference tree x/tree
"$TREEMILL" create -q a.zip tree
extract "own zip" a.zip
same "own zip" tree "$no_fraction;$no_links;$no_owners"

# GNU tar.
for format in v7 oldgnu gnu ustar posix oldgnu:-S gnu:-S posix:-S; do
    case $format in
    v7 | ustar) names=(tree) script=$no_fraction ;;
    posix*) names=(tree odd) script="" ;;
    *) names=(tree odd) script=$no_fraction ;;
    esac
    # shellcheck disable=SC2046  # words
    tar -c --format=${format%:*} $(grep -o -- -S <<<"$format") -f g.tar "${names[@]}" 2>err || fail "tar $format"
    extract "GNU tar $format" g.tar "${owner[@]}"
    for name in "${names[@]}"; do
        same "GNU tar $format" "$name" "$script"
    done
    check "GNU tar $format: no difference" tar -df g.tar -C x
done
for version in 0.0 0.1 1.0; do
    tar -c --format=posix -S --sparse-version=$version -f g.tar tree odd
    gzip -kf1 g.tar
    for suffix in tar tar.gz; do
        extract "sparse $version $suffix" "g.$suffix" "${owner[@]}"
        same "sparse $version $suffix" odd ""
        check "sparse $version $suffix: holes are holes" \
            [ "$(du -k x/odd/many-holes | cut -f 1)" -lt 2000 ]
    done
done

# bsdtar. What a script takes away its writer does not keep: a gnutar has no times before 1970, an
# iso9660 no rights to write, a xar no sticky bits.
for format in pax gnutar ustar v7tar cpio newc bin zip 7zip iso9660 xar; do
    names=(tree) script=$no_fraction
    case $format in
    pax) names=(tree odd) script="" ;;
    gnutar) names=(tree odd) script="$no_fraction;s/ time=-[0-9]+/ time=0/" ;;
    zip | 7zip) script="$no_fraction;$no_links;$no_owners" ;;
    iso9660) script="$no_fraction;$no_modes" ;;
    xar) script="$no_fraction;s/ mode=1/ mode=/" ;;
    esac
    bsdtar -c --format=$format -f "b.$format" "${names[@]}" 2>err || fail "bsdtar $format"
    extract "bsdtar $format" "b.$format" "${owner[@]}"
    for name in "${names[@]}"; do
        same "bsdtar $format" "$name" "$script"
    done
done

# cpio.
if has cpio; then
    for format in bin odc newc crc tar ustar hpbin hpodc; do
        find tree -depth -print0 | cpio -0 -o --quiet -H $format >c.cpio 2>err || fail "cpio $format"
        extract "cpio $format" c.cpio "${owner[@]}"
        same "cpio $format" tree "$no_fraction"
    done
fi

# zip and 7z.
if has zip; then
    streamed=("-r -fd")
    if ! (ln -s nowhere link && zip -q -y - link | cat >link.zip && unzip -tqq link.zip) >zip.out 2>&1; then
        # Debian's does from 3.0-13+deb12u1 on.
        left_out "zip writes no symbolic links into a pipe here"
        streamed=()
    fi
    for options in -r -r0 -r9 "-r -fz" "-r -Z bzip2" "${streamed[@]}"; do
        rm -f z.zip
        # shellcheck disable=SC2086  # options are words
        zip -q -y -X $options z.zip tree 2>err || fail "zip $options"
        extract "zip $options" z.zip
        same "zip $options" tree "$no_fraction;$no_links;$no_owners"
    done
    # Written to a pipe: sizes behind the data; read from one: without the directory at its end.
    if [ ${#streamed[@]} -gt 0 ]; then
        zip -q -y -X -r - tree 2>err | cat >z.zip
        extract "zip from a pipe" z.zip
        same "zip from a pipe" tree "$no_fraction;$no_links;$no_owners"
    else
        rm z.zip
        zip -q -y -X -r z.zip tree
    fi
    clean
    run bash -c 'cat z.zip | "$TREEMILL" extract -q -p -C x -'
    check "zip, to a pipe: links are unknown" ends 0 '-: no file: modes and symbolic links, .*'
    check "zip, to a pipe: the files" cmp -s <(reference tree) <(
        cd x && find tree -type f ! -name soft ! -name dangling ! -name up -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum --
    )
fi
if has 7z; then
    for options in -t7z "-t7z -ms=off -m0=LZMA" "-t7z -m0=PPMd" "-t7z -m0=BZip2" "-t7z -mx=0" -ttar -tzip; do
        rm -f s.7z
        # shellcheck disable=SC2086  # options are words
        7z a -snl $options s.7z tree >out 2>err || fail "7z $options"
        extract "7z $options" s.7z
        same "7z $options" tree "$no_fraction;$no_links;$no_owners"
    done
fi

# Filters: of programs, from a file and from a pipe.
mkdir few
yes 'text that compresses well' | head -c 2100000 >few/text
head -c 300000 /dev/urandom >few/random
ln -s text few/link
for i in $(seq 1 50); do echo "file $i" >"few/$i"; done
tar -c -f f.tar few
filter() { # NAME PROGRAM COMMAND...
    local name=$1
    has "$2" || return 0
    "${@:2}" <f.tar >"f.$name" 2>err || fail "$name writes"
    extract "$name" "f.$name"
    check "$name: the same" diff -r --no-dereference few x/few
    clean
    run bash -c 'cat "$1" | "$TREEMILL" extract -q -C x -' bash "f.$name"
    check "$name, from a pipe" [ "$status$(cat err)" = 0 ]
    check "$name, from a pipe: the same" diff -r --no-dereference few x/few
}
filter gz gzip
filter pigz pigz -b 128
filter bgz bgzip
filter bz2 bzip2
filter xz xz -0
filter lzma xz -0 --format=lzma
filter lz lzip -0
filter lz4 lz4
filter lz4-9 lz4 -9 -BD
filter zst zstd
filter zst-long zstd -3 --long=27
filter Z compress
filter uu uuencode f.tar
filter b64 uuencode -m f.tar
filter gz.uu bash -c 'gzip | uuencode f'
filter xz.bz2 bash -c 'xz -0 | bzip2'
filter zst.gz bash -c 'zstd | gzip'
filter gz.gz bash -c 'gzip | gzip'
filter parts bash -c 'split -b 1000000 --filter="gzip -c"'
filter frames bash -c 'split -b 1000000 --filter="zstd -c"'
filter xz-parts bash -c 'split -b 1000000 --filter="xz -0c"'

# The same around what is no tar.
bsdtar -cf f.cpio --format=newc tree
gzip -kf f.cpio
extract "cpio.gz" f.cpio.gz "${owner[@]}"
same "cpio.gz" tree "$no_fraction"

# Extended attributes and ACLs, by each program that stores them.
mkdir attributes
echo a >attributes/file
echo b >attributes/read-only
mkdir attributes/directory
if has setfattr && has setfacl && setfattr -n user.tm -v value attributes/file 2>/dev/null; then
    setfattr -n user.binary -v 0x000102ff0a3d attributes/file
    setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" attributes/directory
    setfattr -n user.empty attributes/read-only
    setfacl -m u:1234:r,g:4321:rw attributes/file
    setfacl -d -m u:1234:rx attributes/directory
    chmod 444 attributes/read-only
    have() { # DIR
        (cd "$1" && getfattr -R -d -m '^user' attributes && getfacl -R -n attributes) 2>/dev/null
    }
    have . >want
    check "there are some" [ "$(grep -c '^user' want)" -ge 6 ]
    "$TREEMILL" create -qf --xattrs a.tar.gz attributes
    tar -c --xattrs --acls -f b.tar attributes
    bsdtar -c --xattrs --acls -f c.tar attributes
    for archive in a.tar.gz b.tar c.tar; do
        extract "attributes of $archive" $archive --xattrs
        have x >got
        assert_same want got "attributes of $archive: the same"
        extract "no attributes of $archive" $archive
        check "no attributes of $archive" [ -z "$(cd x && getfattr -R -d -m '^user' attributes)" ]
    done

    # Whom a list names has to be looked up, which a confined process could not.
    setfacl -m u:nobody:rx attributes/file
    have . >want
    tar -c --xattrs --acls -f named.tar attributes
    "$TREEMILL" create -qf --xattrs named.tar.gz attributes
    few=(--scan=threads:1)
    ! with_processes || few+=(--scan=processes:1)
    for archive in named.tar named.tar.gz; do
        for model in "${few[@]}"; do
            extract "lists of $archive $model" $archive --xattrs "$model"
            have x >got
            assert_same want got "lists of $archive $model: the same"
            extract "no lists of $archive $model" $archive "$model"
        done
    done
else
    left_out "extended attributes: this file system has none"
fi

finish
