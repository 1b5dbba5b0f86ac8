#!/usr/bin/env bash
# treemill extract: archives that are not what they mostly are: empty, without an end, several in
# one, appended to, incremental, of git, very large.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
umask 022

# made ARGUMENT...: extracts into an empty x without a word
made() {
    rm -rf x
    expect_status 0 "$TREEMILL" extract -q -C x "$@"
    check "nothing to say of $*" [ ! -s err ]
}
# piped FILE ARGUMENT...: the same from a pipe
piped() {
    rm -rf x
    # shellcheck disable=SC2016  # the other bash expands it
    run bash -c 'cat "$1" | "$TREEMILL" extract -q -C x "${@:2}" -' bash "$@"
    check "$1 from a pipe" [ "$status" -eq 0 ]
}
names() { # what is in x
    (cd x && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ')
}

mkdir tree
echo one >tree/one
echo two >tree/two
head -c 200000 /dev/urandom >tree/random

# Empty ones.
tar -cf empty.tar -T /dev/null
for program in gzip zstd xz bzip2 lz4; do
    has $program || continue
    $program <empty.tar >empty.tar.$program
    made empty.tar.$program
    check "an empty tar in $program makes nothing" [ -z "$(names)" ]
    piped empty.tar.$program
    check "an empty tar in $program from a pipe says nothing" [ ! -s err ]
done
made empty.tar
check "an empty tar makes nothing" [ -z "$(names)" ]
"$TREEMILL" create -qf --files-from=/dev/null own.tar.gz 2>err
made own.tar.gz
check "our own empty tar.gz makes nothing" [ -z "$(names)" ]
if has bsdtar; then
    for format in pax cpio newc zip 7zip ar iso9660; do
        bsdtar -c --format=$format -f empty.$format -T /dev/null 2>/dev/null
        made empty.$format
        check "an empty $format makes nothing" [ -z "$(names)" ]
    done
fi
: >nothing
expect_status 1 "$TREEMILL" extract -q -C x nothing
check "no bytes are no archive" ends 1 'nothing: read: (no archive that is known|unexpected end of file)'
run bash -c '"$TREEMILL" extract -q -C x - </dev/null'
check "nor from nowhere" ends 1 '-: read: (no archive that is known|unexpected end of file)'
head -c 100000 /dev/urandom >noise
expect_status 1 "$TREEMILL" extract -q -C x noise
check "noise is no archive" ends 1 'noise: read: no archive that is known'
gzip -k noise
expect_status 1 "$TREEMILL" extract -q -C x noise.gz
check "nor is a compressed file" [ "$(wc -l <err)" -eq 1 ]
expect_status 2 "$TREEMILL" extract -q -C x no-such-file.tar
check "a missing archive" ends 2 'no-such-file.tar: open: No such file or directory'
expect_status 2 "$TREEMILL" extract -q -C x tree
check "a directory" ends 2 'tree: read: Is a directory'

# Without the mark of the end: whole, but that is said.
tar -cf whole.tar tree
blocks=$((($(stat -c %s tree/random) + 511) / 512 + 1 + 2 + 2 + 1))
head -c $((blocks * 512)) whole.tar >endless.tar
gzip -k endless.tar
for archive in endless.tar endless.tar.gz; do
    rm -rf x
    expect_status 0 "$TREEMILL" extract -q -C x $archive
    check "$archive" ends 0 "$archive: has no end-of-archive mark"
    check "$archive: all is there" diff -r tree x/tree
done
head -c $((blocks * 512 - 1000)) whole.tar >short.tar
head -c $((blocks * 512 - 1000)) whole.tar | gzip >short.tar.gz
gzip -k whole.tar
head -c -20000 whole.tar.gz >cut.tar.gz
for archive in short.tar short.tar.gz cut.tar.gz; do
    for way in file pipe; do
        rm -rf x
        if [ $way = file ]; then
            run "$TREEMILL" extract -q -C x $archive
        else
            # shellcheck disable=SC2016  # the other bash expands it
            run bash -c 'cat "$1" | "$TREEMILL" extract -q -C x -' bash $archive
        fi
        check "$archive as a $way: cut short" ends 1 "($archive|-): .*unexpected end of file|.*ends too early.*"
        cmp -s tree/random x/tree/random 2>/dev/null ||
            check "$archive as a $way: no half of a file" [ ! -e x/tree/random ]
        check "$archive as a $way: no temporary" [ -z "$(find x -name '.*treemill-*')" ]
    done
done

# Rubbish behind the end is nobody's business; zeros in plenty neither.
(cat whole.tar && head -c 100000 /dev/zero) >zeros.tar
made zeros.tar
check "zeros behind the end" diff -r tree x/tree
(cat whole.tar && head -c 100000 /dev/urandom) >rubbish.tar
made rubbish.tar
check "rubbish behind the end" diff -r tree x/tree

# Several in one.
mkdir second
echo three >second/three
tar -cf second.tar second
cp whole.tar both.tar
tar --concatenate -f both.tar second.tar
made both.tar
check "tar --concatenate" [ "$(names)" = "second second/three tree tree/one tree/random tree/two " ]
cat whole.tar second.tar >catenated.tar
made catenated.tar
check "two after another: the first, as of tar" [ "$(names)" = "tree tree/one tree/random tree/two " ]
cat whole.tar.gz <(gzip -c second.tar) >catenated.tar.gz
made catenated.tar.gz
check "two after another in gzip: the same" [ "$(names)" = "tree tree/one tree/random tree/two " ]

# Appended to: the last of a name is what stays.
cp whole.tar appended.tar
for round in 1 2 3; do
    echo "round $round" >tree/one
    head -c $((round * 1500000)) /dev/urandom >tree/two
    tar -rf appended.tar tree/one tree/two
done
rm tree/random
echo last >tree/random
tar -rf appended.tar tree/random
gzip -1k appended.tar
cp appended.tar appended-own.tar
"$TREEMILL" compress -q appended-own.tar
for archive in appended.tar appended.tar.gz appended-own.tar.gz; do
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        made $archive $model
        check "the last of a name stays, $archive $model" diff -r tree x/tree
    done
    piped $archive
    check "the last of a name stays, $archive from a pipe" diff -r tree x/tree
done
# A file that becomes a link, a link that becomes a file.
mkdir kinds
echo file >kinds/was-file
ln -s nowhere kinds/was-link
tar -cf kinds.tar kinds
rm kinds/*
ln -s elsewhere kinds/was-file
echo now >kinds/was-link
tar -rf kinds.tar kinds
made kinds.tar
check "the last kind stays" diff -r --no-dereference kinds x/kinds

# Incremental dumps of GNU tar: their directories are directories.
mkdir dumped
echo a >dumped/a
mkdir dumped/sub
echo b >dumped/sub/b
tar -c --listed-incremental=snapshot -f level0.tar dumped
sleep 0.01
echo c >dumped/c
rm dumped/a
tar -c --listed-incremental=snapshot -f level1.tar dumped
tar -c --format=posix --listed-incremental=another -f level0-posix.tar dumped
made level0.tar
check "a full dump" [ "$(names)" = "dumped dumped/a dumped/sub dumped/sub/b " ]
expect_status 0 "$TREEMILL" extract -q -C x level1.tar
check "the next one, added" [ "$(names)" = "dumped dumped/a dumped/c dumped/sub dumped/sub/b " ]
made level0-posix.tar
check "a dump in posix format" diff -r dumped x/dumped

# git archive: a global header, in tar, and zip.
if has git; then
    export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a \
        GIT_COMMITTER_EMAIL=a@b
    mkdir repository
    (
        cd repository && git init -q . && echo a >a && ln -s a link && mkdir -p d && echo b >d/b &&
            chmod 755 d/b && echo ü >$'\xc3\xbc' && git add . && git commit -qm first
    ) >out 2>&1
    for format in tar tgz zip; do
        (cd repository && git archive --format=$format --prefix=p/ HEAD) >git.$format
        made git.$format
        check "git archive $format" diff -r --no-dereference -x .git repository x/p
        check "git archive $format: it may be executed" [ -x x/p/d/b ]
    done
fi

# Labels and volumes.
tar -c -V "a label" -f label.tar second
made label.tar
check "a label is no file" [ "$(names)" = "second second/three " ]

# Zip: more than 65535 entries, sizes behind the data, more than 4 GiB. (All zeros: small.)
if has python3; then
    python3 - <<'END'
import zipfile
class Pipe:
    def __init__(self, file):
        self.file = file
    def write(self, data):
        return self.file.write(data)
    def flush(self):
        pass
with zipfile.ZipFile('many.zip', 'w') as many:
    for i in range(66000):
        many.writestr('d%d/f%d' % (i % 100, i), b'')
with open('stream.zip', 'wb') as file:
    with zipfile.ZipFile(Pipe(file), 'w', zipfile.ZIP_DEFLATED) as stream:
        for name, count in (('zero', 0), ('few', 10), ('some', 100000), ('much', 5000000)):
            with stream.open(name, 'w') as member:
                member.write(bytes(i % 251 for i in range(count)))
        with stream.open('forced', 'w', force_zip64=True) as member:
            member.write(b'x' * 1000)
END
    made many.zip
    check "66,000 entries" [ "$(find x -type f | wc -l)" -eq 66000 ]
    unzip -q stream.zip -d unzipped 2>err || fail "unzip"
    made stream.zip
    check "sizes behind the data" diff -r unzipped x
    piped stream.zip
    check "sizes behind the data, from a pipe" diff -r unzipped x
fi

# More than 8 GiB, nearly all of it holes: octal digits do not hold its size.
truncate -s 9G large
echo start | dd of=large conv=notrunc status=none
echo end >>large
size=$(stat -c %s large)
disk() { # FILE: KiB
    du -k "$1" | cut -f 1
}
for format in gnu posix own; do
    case $format in
    own) "$TREEMILL" create -qf large.tar large 2>err ;;
    *) tar -c -S --format=$format -f large.tar large ;;
    esac
    made large.tar
    check "9 GiB, $format: its size" [ "$(stat -c %s x/large)" -eq "$size" ]
    check "9 GiB, $format: holes" [ "$(disk x/large)" -lt 1024 ]
    check "9 GiB, $format: its beginning" [ "$(head -n 1 x/large | tr -d '\0')" = start ]
    check "9 GiB, $format: its end" [ "$(tail -c 4 x/large)" = end ]
done

# So many links wait for the end that they go to a temporary file: in /tmp, too, if TMPDIR is empty,
# and although the sandbox is on.
if has python3; then
    python3 - <<'END'
import tarfile
with tarfile.open("links.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
    for number in range(80000):
        link = tarfile.TarInfo("d%d/%s%d" % (number // 1000, "n" * 60, number))
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 60
        archive.addfile(link)
END
    for directory in "" "$PWD"; do
        rm -rf x
        status=0
        TMPDIR=$directory "$TREEMILL" extract -q -C x links.tar >out 2>err || status=$?
        check "many links, TMPDIR='$directory'" [ "$status-$(find x -type l | wc -l)" = 0-80000 ]
    done
else
    left_out "links that outgrow the memory (no python3)"
fi

finish
