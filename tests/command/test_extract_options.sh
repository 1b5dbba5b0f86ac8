#!/usr/bin/env bash
# treemill extract: each option does what it says.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022
root=$([ "$(id -u)" -ne 0 ] || echo yes)

extract() { # ARGUMENT...: into x
    rm -rf x
    expect_status 0 "$TREEMILL" extract -q -C x "$@"
    check "nothing to say of $*" [ ! -s err ]
}
names() { # of all that is no directory in x
    (cd x && find . -mindepth 1 ! -type d -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ')
}

mkdir -p tree/a/b tree/c "tree/sp ace"
for name in tree/one.txt tree/a/two.c tree/a/b/three.txt tree/c/four.c "tree/sp ace/five" \
    'tree/st*r' tree/c/.hidden tree/linked; do
    echo "$name" >"$name"
done
ln tree/linked tree/c/again
ln -s ../one.txt tree/c/soft
find tree -exec touch -h -d '2005-06-07 08:09:10' {} +
for suffix in tar tar.gz tar.zst; do "$TREEMILL" create -q "t.$suffix" tree; done
archives=(t.tar t.tar.gz t.tar.zst)
! has zip || { zip -qry t.zip tree && archives+=(t.zip); }
! has 7z || { 7z a -snl t.7z tree >out && archives+=(t.7z); }

# Members.
for archive in "${archives[@]}"; do
    extract "$archive" tree/a/b/three.txt
    check "one, $archive" [ "$(names)" = "tree/a/b/three.txt " ]
    check "its contents, $archive" cmp -s tree/a/b/three.txt x/tree/a/b/three.txt
    extract "$archive" tree/a
    check "a directory, $archive" [ "$(names)" = "tree/a/b/three.txt tree/a/two.c " ]
    extract "$archive" tree/a/
    check "with a slash, $archive" [ "$(names)" = "tree/a/b/three.txt tree/a/two.c " ]
    extract "$archive" ./tree//a/./b /tree/c/four.c
    check "by other spellings, $archive" [ "$(names)" = "tree/a/b/three.txt tree/c/four.c " ]
    extract "$archive" '*.c'
    check "a pattern, $archive" [ "$(names)" = "tree/a/two.c tree/c/four.c " ]
    extract "$archive" 'tree/*/*.c' tree/one.txt
    check "a pattern and a name, $archive" [ "$(names)" = "tree/a/two.c tree/c/four.c tree/one.txt " ]
    extract "$archive" 'tree/[bc]'
    check "a pattern of a directory, $archive" grep -q 'tree/c/.hidden .*tree/c/four.c ' <(names)
    extract "$archive" 'tree/st\*r'
    check "a name with a star, $archive" [ "$(names)" = "tree/st*r " ]
    extract "$archive" 'tree/sp ace'
    check "a name with a space, $archive" [ "$(names)" = "tree/sp ace/five " ]
    rm -rf x
    expect_status 3 "$TREEMILL" extract -q -C x "$archive" tree/one.txt no/such '*.none'
    check "what is missing is named, $archive" diff - err <<END
treemill: no/such: not in the archive
treemill: *.none: not in the archive
END
    check "the rest is there, $archive" [ "$(names)" = "tree/one.txt " ]
    rm -rf x
    expect_status 3 "$TREEMILL" extract -q -C x "$archive" tree/on
    check "a part of a name is none, $archive" ends 3 'tree/on: not in the archive'
done
run bash -c '"$TREEMILL" extract -q -C x - tree/a <t.tar.gz'
check "from standard input" [ "$(names)" = "tree/a/b/three.txt tree/a/two.c " ]
expect_status 2 "$TREEMILL" extract -q -C x t.tar ../above
check "above the target" grep -q '^treemill: \.\./above: member: ' err

# A link's target that is not asked for.
expect_status 3 "$TREEMILL" extract -q -C y t.tar tree/linked
check "the name that is stored as a link" \
    ends 3 'tree/linked: link to tree/c/again: No such file or directory'
rm -rf y

# Names cut.
for archive in t.tar t.tar.gz; do
    extract --strip-components=1 "$archive"
    check "one component off, $archive" diff -r --no-dereference tree x
    check "the hard link, too, $archive" [ x/linked -ef x/c/again ]
    extract --strip-components=2 "$archive"
    check "two off, $archive" [ "$(names)" = ".hidden again b/three.txt five four.c soft two.c " ]
    extract --strip-components=1 "$archive" tree/a
    check "with a member, $archive" [ "$(names)" = "a/b/three.txt a/two.c " ]
    extract --strip-components=9 "$archive"
    check "all off, $archive" [ -z "$(names)" ]
done

# What exists.
mkdir -p old/tree/c
present() { # fresh x: older, newer, a link, a directory in place of files
    rm -rf x
    mkdir -p x/tree/a/b x/tree/c outside
    echo old >x/tree/a/two.c
    touch -d '2001-01-01' x/tree/a/two.c
    echo new >x/tree/c/four.c
    touch -d '2030-01-01' x/tree/c/four.c
    echo same >x/tree/c/.hidden
    touch -d '2005-06-07 08:09:10' x/tree/c/.hidden
    echo outside >outside/file
    ln -s "$work/outside/file" x/tree/a/b/three.txt
    ln -s nowhere x/tree/c/soft
    touch -h -d '2001-01-01' x/tree/a/b/three.txt x/tree/c/soft
}
for archive in t.tar t.tar.gz ${archives[3]:-}; do
    present
    expect_status 3 "$TREEMILL" extract -q -C x "$archive"
    check "what exists is named, $archive" diff <(LC_ALL=C sort err) - <<END
treemill: tree/a/b/three.txt: create: File exists
treemill: tree/a/two.c: create: File exists
treemill: tree/c/.hidden: create: File exists
treemill: tree/c/four.c: create: File exists
treemill: tree/c/soft: create: File exists
END
    check "and stays, $archive" [ "$(cat x/tree/a/two.c x/tree/c/four.c)" = $'old\nnew' ]
    check "nor is a link followed, $archive" [ "$(cat outside/file)" = outside ]
    check "the others are there, $archive" cmp -s tree/one.txt x/tree/one.txt
    present
    expect_status 0 "$TREEMILL" extract -q -C x --overwrite=older "$archive"
    check "older ones are replaced, $archive" cmp -s tree/a/two.c x/tree/a/two.c
    check "newer ones stay, $archive" [ "$(cat x/tree/c/four.c x/tree/c/.hidden)" = $'new\nsame' ]
    check "a link is replaced, $archive" cmp -s tree/a/b/three.txt x/tree/a/b/three.txt
    check "what it led to stays, $archive" [ "$(cat outside/file)" = outside ]
    for option in --overwrite=always -f; do
        present
        expect_status 0 "$TREEMILL" extract -q -C x "$option" "$archive"
        check "$option, $archive" diff -r --no-dereference tree x/tree
        check "$option: what a link led to stays, $archive" [ "$(cat outside/file)" = outside ]
        # Again, over itself.
        expect_status 0 "$TREEMILL" extract -q -C x "$option" "$archive"
        check "$option again, $archive" diff -r --no-dereference tree x/tree
    done
    check "the hard link is one, $archive" [ "$archive" = t.zip -o x/tree/linked -ef x/tree/c/again ]
done
# Directories in place of files, files in place of directories.
rm -rf x
mkdir -p x/tree/one.txt x/tree/c/soft
echo file >x/tree/a
expect_status 3 "$TREEMILL" extract -qf -C x t.tar
check "neither is replaced" diff <(LC_ALL=C sort err) - <<END
treemill: tree/a/b/three.txt: create: Not a directory
treemill: tree/a/b: create: Not a directory
treemill: tree/a/two.c: create: Not a directory
treemill: tree/a: create: Not a directory
treemill: tree/c/soft: create: Is a directory
treemill: tree/one.txt: rename: Is a directory
END
rm -rf x outside

# A target that is made, not its parents.
expect_status 2 "$TREEMILL" extract -q -C no/such t.tar
check "no parents are made" ends 2 'no/such: (open|create): No such file or directory'
expect_status 2 "$TREEMILL" extract -q -C t.tar t.tar.gz
check "a file as target" ends 2 't.tar: (open|create): Not a directory'
mkdir here
(cd here && "$TREEMILL" extract -q ../t.tar)
check "without -C: here" diff -r --no-dereference tree here/tree
ln -s here link
expect_status 0 "$TREEMILL" extract -qf -C link t.tar
check "a target that is a link is followed" [ -L link ]
rm -rf here link

# Modes.
mkdir modes modes/d
for mode in 4755 2755 1644 777 666 600 444; do
    echo $mode >modes/$mode
    chmod $mode modes/$mode
done
chmod 3777 modes/d
tar -cf modes.tar modes
modes() {
    (cd x/modes && stat -c '%a' 4755 2755 1644 777 666 600 444 d | tr '\n' ' ')
}
extract modes.tar
check "umask 022" [ "$(modes)" = "755 755 644 755 644 600 444 755 " ]
extract -p modes.tar
check "-p" [ "$(modes)" = "4755 2755 1644 777 666 600 444 3777 " ]
rm -rf x
(umask 077 && "$TREEMILL" extract -q -C x modes.tar)
check "umask 077" [ "$(modes)" = "700 700 600 700 600 600 400 700 " ]
check "umask 077: the target" [ "$(stat -c %a x)" = 700 ]
rm -rf x
(umask 0 && "$TREEMILL" extract -q -C x modes.tar)
check "umask 0" [ "$(modes)" = "755 755 644 777 666 600 444 777 " ]

# Owners.
if [ -n "$root" ]; then
    chown -h 1234:4321 tree/a/two.c tree/c/soft tree/a
    tar -cf owners.tar tree
    tar -c --owner=nobody:99999 --group=nogroup:99998 -f named.tar tree
    tar -c --numeric-owner --owner=777 --group=888 -f numbers.tar tree
    chown -h 0:0 tree/a/two.c tree/c/soft tree/a
    owner() {
        stat -c %u:%g "x/$1"
    }
    extract owners.tar
    check "root's, unasked" [ "$(owner tree/a/two.c)$(owner tree/a)" = 0:00:0 ]
    extract --same-owner owners.tar
    check "--same-owner" [ "$(owner tree/a/two.c) $(owner tree/c/soft) $(owner tree/a) $(owner tree/one.txt)" = \
        "1234:4321 1234:4321 1234:4321 0:0" ]
    extract --same-owner named.tar
    check "by name" [ "$(owner tree/one.txt)" = "$(id -u nobody):$(getent group nogroup | cut -d: -f3)" ]
    extract --same-owner numbers.tar
    check "by number" [ "$(owner tree/one.txt)" = 777:888 ]
    # setuid survives that the owner is set
    extract --same-owner -p modes.tar
    check "-p --same-owner" [ "$(modes)" = "4755 2755 1644 777 666 600 444 3777 " ]
    # Who may not give files away keeps them.
    install -m 755 "$TREEMILL" program
    chmod 777 .
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program" extract -q -p --same-owner -C y modes.tar
    check "somebody else keeps them" [ "$status" -eq 0 ]
    check "and no setuid" [ "$(stat -c '%a %u' y/modes/4755)" = "755 65534" ]
    rm -rf y program
    chmod 755 .
else
    left_out "owners (not root)"
fi

# Devices.
mkdir devices
mkfifo devices/fifo
if [ -n "$root" ] && mknod devices/null c 1 3 2>err; then
    mknod devices/block b 7 99
    tar -cf devices.tar devices
    rm -rf x
    expect_status 3 "$TREEMILL" extract -q -C x devices.tar
    check "devices are skipped" diff <(LC_ALL=C sort err) - <<END
treemill: devices/block: skipped: not a regular file
treemill: devices/null: skipped: not a regular file
END
    check "a FIFO is made" [ -p x/devices/fifo ]
    extract --devices devices.tar
    check "--devices" [ "$(stat -c '%F %t:%T' x/devices/null x/devices/block)" = \
        $'character special file 1:3\nblock special file 7:63' ]
else
    left_out "devices (no right to make them)"
fi

# Links that lead out.
mkdir -p links/sub
ln -s /etc/passwd links/absolute
ln -s ../../x links/up
ln -s ../inside links/sub/inside
ln -s sub/../../.. links/winding
ln -s inside links/plain
echo i >links/inside
tar -cf links.tar links
extract links.tar
check "all links, unasked" [ "$(find x -type l | wc -l)" -eq 5 ]
rm -rf x
expect_status 3 "$TREEMILL" extract -q -C x --safe-links links.tar
check "--safe-links" [ "$(names)" = "links/inside links/plain links/sub/inside " ]
check "--safe-links says so" [ "$(grep -c skipped err)" -eq 3 ]

# Selection.
head -c 3000000 /dev/urandom >tree/big
touch -d '2020-01-01' tree/big
rm -f t.tar.gz t.tar t.zip
"$TREEMILL" create -q t.tar tree
"$TREEMILL" create -q t.tar.gz tree
"$TREEMILL" create -q t.zip tree 2>err
for archive in t.tar t.tar.gz t.zip; do
    extract --exclude='*.c' --exclude=tree/a/b "$archive"
    check "--exclude, $archive" [ -z "$(find x -name '*.c' -o -name b)" ]
    check "--exclude, the rest, $archive" [ -e x/tree/big ]
    extract --include=four.c --exclude='*.c' "$archive"
    check "--include, $archive" [ "$(find x -name '*.c' -printf %P)" = tree/c/four.c ]
    extract --max-size=1M "$archive"
    check "--max-size, $archive" [ ! -e x/tree/big -a -e x/tree/a/two.c ]
    extract --min-size=1M "$archive"
    check "--min-size, $archive" [ "$(find x -type f)" = x/tree/big ]
    extract --newer=2010-01-01 "$archive"
    check "--newer, $archive" [ "$(find x -type f)" = x/tree/big ]
    echo '*.txt' >patterns
    extract --exclude-from=patterns "$archive"
    check "--exclude-from, $archive" [ -z "$(find x -name '*.txt')" ]
done

# Digests of what was read.
truncate -s 4M tree/sparse
echo middle | dd of=tree/sparse bs=1 seek=2000000 conv=notrunc status=none
printf x >$'tree/new\nline'
rm -f t.*
for suffix in tar tar.gz tar.zst zip; do "$TREEMILL" create -q "t.$suffix" tree 2>err; done
tar -S -cf gnu.tar tree
bzip2 -k gnu.tar
archives=(t.tar t.tar.gz t.tar.zst t.zip gnu.tar gnu.tar.bz2)
! has 7z || { 7z a -snl t.7z tree >out && archives+=(t.7z); }
regular=$(find tree -type f -printf . | wc -c)
for archive in "${archives[@]}"; do
    rm -f m
    extract --manifest=m "$archive"
    check "sha256sum -c, $archive" bash -c 'cd x && sha256sum --quiet --strict -c ../m'
    # A second name has no data of its own.
    check "every file, $archive" [ $(($(wc -l <m) + $(find x -type f -links +1 -printf . | wc -c) / 2)) -eq "$regular" ]
    rm -f m
    extract --manifest=m -a sha256,md5,xxh3 "$archive"
    check "several, $archive" "$TREEMILL" verify -q -C x m
    check "as many of each, $archive" [ "$(grep -c ^MD5 m)" -eq "$(grep -c ^SHA256 m)" ]
done
rm -f m
run bash -c '"$TREEMILL" extract -q -C y --manifest=m - <t.zip'
check "of a zip from a pipe" bash -c 'cd y && sha256sum --quiet --strict -c ../m'
rm -rf y
expect_status 2 "$TREEMILL" extract -q -C y --manifest=m t.tar
check "a manifest is not replaced unasked" ends 2 'm: create: exists already; --force replaces it'
check "and nothing made" [ ! -e y ]

# To the disk.
for when in none file end; do
    extract --fsync=$when t.tar.gz
    check "--fsync=$when" diff -r --no-dereference tree x/tree
done
if has strace && strace -qqf -e trace=fsync,fdatasync,sync,syncfs -o trace "$TREEMILL" extract -q -C y --fsync=file t.tar 2>err; then
    check "--fsync=file asks for it" [ "$(grep -c 'sync(' trace)" -ge "$regular" ]
    rm -rf y
fi

# Messages.
extract t.tar
rm -rf x
expect_status 0 "$TREEMILL" extract -C x t.tar
check "a summary" ends 0 'extracted [0-9]+ files, .* in .*'
check "nothing on standard output" [ ! -s out ]
rm -rf x
expect_status 0 "$TREEMILL" extract -v -C x t.tar
check "-v tells what was chosen" grep -q '^treemill: write: ' err
rm -rf x
expect_status 0 "$TREEMILL" extract --stats -C x t.tar.gz
check "--stats is a table" [ "$(grep -Ec '^(read|decompress|scan|write) ' err out | awk -F: '{n += $2} END {print n}')" -ge 4 ]
if has jq; then
    rm -rf x
    expect_status 0 "$TREEMILL" extract --json --manifest=m2 -C x t.tar.gz
    check "--json is JSON, line by line" [ "$(jq -c . out | wc -l)" -eq "$(wc -l <out)" ]
    check "--json: a line for each file" [ "$(jq -r 'select(.event == "file") | .path // .path_b64' out | wc -l)" -ge $((regular - 1)) ]
    check "--json: a digest of each" [ "$(jq -r 'select(.event == "file" and .path == "tree/big") | .. | strings' out |
        grep -c "$(sha256sum <tree/big | cut -c 1-64)")" -eq 1 ]
    check "--json: the summary" [ "$(jq -r 'select(.event == "summary") | .exit_status' out)" = 0 ]
fi

# A slow pipe.
run bash -c '(head -c 700; sleep 0.3; head -c 100000; sleep 0.3; cat) <t.tar.gz | "$TREEMILL" extract -q -C y -'
check "a slow pipe" diff -r --no-dereference tree y/tree
rm -rf y
mkfifo fifo
cat t.tar >fifo &
expect_status 0 "$TREEMILL" extract -q -C y fifo
check "a FIFO" diff -r --no-dereference tree y/tree
rm -rf y
run bash -c '(exec 3<t.tar; head -c 0 <&3; "$TREEMILL" extract -q -C y - <&3)'
check "a file as standard input" diff -r --no-dereference tree y/tree

# A hard link to what --strip-components takes away is told of; so is one that --safe-links forbids.
mkdir -p stripped/p
echo top >stripped/top
ln stripped/top stripped/p/link
echo below >stripped/p/below
tar -C stripped -cf stripped.tar top p
rm -rf y
run "$TREEMILL" extract -q --strip-components=1 -C y stripped.tar
check "its other name is stripped away" ends 3 'link: skipped: leads out of the target'
check "the others are there" [ "$(ls -A y)" = below ]
mkdir -p safe/a/b
ln -s ../../ok safe/a/b/inside
ln safe/a/b/inside safe/outside
echo ok >safe/ok
tar -C safe -cf safe.tar a outside ok
rm -rf y
run "$TREEMILL" extract -q --safe-links -C y safe.tar
check "a second name of a link can lead out" ends 3 'outside: skipped: leads out of the target'
check "the first does not" [ "$(cat y/a/b/inside)" = ok ]
check "nothing leads out" [ ! -L y/outside ]
rm -rf y
run "$TREEMILL" extract -q -C y safe.tar
check "without --safe-links it is made" [ "$status$(readlink y/outside)" = "0../../ok" ]

finish
