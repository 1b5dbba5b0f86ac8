#!/usr/bin/env bash
# treemill list: the same members from every kind of archive, in three forms; names that are no
# text; archives that are not whole; a terminal.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has bsdtar || skip "bsdtar is not installed to make archives"

mkdir -p t/sub
seq 1 1000 >t/sub/numbers
head -c 3000000 /dev/urandom >t/large
: >t/empty
echo x >"t/a b#c=d*?[\\"
echo x >t/$'new\nline'
printf x >t/$'\xff\xfe'
ln -s 'sub/numb ers' t/link
ln t/empty t/zecond
mkfifo t/fifo
chmod 640 t/large
chmod 4755 t/sub/numbers
touch -d @1700000000.123456789 t/large
touch -d @-1.5 t/empty

mkdir a
tar -cf a/gnu.tar t
tar --format=posix -cf a/pax.tar t
tar -czf a/gnu.tar.gz t
tar -cJf a/gnu.tar.xz t
"$TREEMILL" create -q a/ours.tar.gz t
"$TREEMILL" create -q a/ours.tar.zst t
bsdtar -cf a/newc.cpio --format=newc t
rm t/fifo t/$'\xff\xfe' # which neither of these can hold
bsdtar -cf a/bsd.zip --format=zip t
bsdtar -cf a/bsd.7z --format=7zip t

# Names.
for path in a/*; do
    run "$TREEMILL" list -q0 "$path"
    check "$path" [ "$status$(cat err)" = 0 ]
    tr '\0\n' '\n\1' <out | sed 's,/$,,' | LC_ALL=C sort >names
    [[ $path == *zip || $path == *7z ]] || touch t/fifo t/$'\xff\xfe'
    find t -print0 | tr '\0\n' '\n\1' | LC_ALL=C sort >wanted
    rm -f t/fifo t/$'\xff\xfe'
    assert_same names wanted "names of $path"
done
run "$TREEMILL" list -q a/gnu.tar
check "names that are no text are escaped" grep -qxF 't/new\nline' out
check "and so are bytes" grep -qxF 't/\377\376' out
run "$TREEMILL" list -q a/gnu.tar 't/sub/**'
check "some of them" [ "$status $(cat out)" = "0 t/sub/numbers" ]
run "$TREEMILL" list -q a/gnu.tar t/absent
check "none" ends 3 't/absent: not in the archive'

# As tar -tv prints them.
run "$TREEMILL" list -qv a/pax.tar
TZ=UTC "$TREEMILL" list -qv a/pax.tar t/large >long
check "a long line" grep -Eqx -- '-rw-r----- [^ ]+/[^ ]+ +3000000 2023-11-14 22:13:20 t/large' long
check "a hard link" grep -Eq '^h.* t/(empty|zecond) link to t/(empty|zecond)$' out
check "a symbolic link" grep -Eq '^l.* t/link -> sub/numb ers$' out
check "a FIFO" grep -Eq '^prw' out
check "setuid" grep -Eq '^-rwsr-xr-x .* t/sub/numbers$' out

# mtree: bsdtar makes the same archive of it.
mkfifo t/fifo
printf x >t/$'\xff\xfe'
for name in gnu.tar pax.tar ours.tar.gz gnu.tar.xz newc.cpio ours.tar.zst; do
    run "$TREEMILL" list -q --format=mtree a/$name
    check "mtree of $name" [ "$status$(cat err)" = 0 ]
    check "mtree of $name begins so" [ "$(head -n 1 out)" = '#mtree' ]
    check "a line for each" [ "$(wc -l <out)" -eq 12 ]
    cp out $name.mtree
    if bsdtar -cf again.tar "@$name.mtree" 2>err; then
        bsdtar -tf again.tar | sed 's,^\./,,; s,/$,,' | LC_ALL=C sort >names
        bsdtar -tf a/$name | sed 's,/$,,' | LC_ALL=C sort >wanted
        assert_same names wanted "names that bsdtar reads from the mtree of $name"
    else
        fail "bsdtar reads the mtree of $name"
    fi
    check "$name: size" grep -q '^\./t/large type=file mode=0640 uid=[0-9]* gid=[0-9]* size=3000000 time=1700000000\.' $name.mtree
    check "$name: a link" grep -q '^\./t/link type=link .* link=sub/numb\\040ers$' $name.mtree
    check "$name: a name" grep -qF './t/a\040b\043c\075d\052\077\133\134 type=file' $name.mtree
    check "$name: a hard link has no size" [ "$(grep -c 'type=file.*size=' $name.mtree)" -eq 6 ]
done
check "fractions" grep -q 'time=1700000000.123456789' pax.tar.mtree
check "before 1970" grep -q 'time=-2.500000000' pax.tar.mtree
# (What verify reads of it: the sizes.)
run "$TREEMILL" verify ours.tar.gz.mtree
check "verify reads it" [ "$(grep -c ': OK$' out) $(grep -c ': verify: .* no digest' err)" = "6 1" ]
tar -cPf up.tar --transform='s,^t,../t,' t/large t/empty 2>err
run "$TREEMILL" list -q --format=mtree up.tar
check "nothing that leads elsewhere" [ "$(cat out)" = '#mtree' ]

# Events.
if has python3; then
    cat >look.py <<'END'
import base64, json, sys
seen = {}
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    if event["event"] == "file":
        name = event.get("path", "").encode() or base64.b64decode(event["path_b64"])
        seen[name] = event
large = seen[b"t/large"]
assert large["kind"] == "file" and large["size"] == 3000000 and large["mode"] == "0640", large
assert large["mtime"].startswith("1700000000.") and large["uid"] >= 0 and large["gid"] >= 0, large
assert isinstance(large["user"], str) and isinstance(large["group"], str), large
assert seen[b"t"]["kind"] == "directory" and "size" not in seen[b"t"]
assert seen[b"t/link"]["kind"] == "symlink" and seen[b"t/link"]["target"] == "sub/numb ers"
kinds = {seen[b"t/empty"]["kind"], seen[b"t/zecond"]["kind"]}
assert kinds == {"file", "hardlink"}, kinds
link = seen[b"t/empty"] if seen[b"t/empty"]["kind"] == "hardlink" else seen[b"t/zecond"]
assert link["target"] in ("t/empty", "t/zecond"), link
assert sys.argv[2] != "pax.tar" or large["mtime"] == "1700000000.123456789", large
assert sys.argv[2] != "pax.tar" or seen[b"t/empty"]["mtime"] == "-1.500000000", seen[b"t/empty"]
assert seen[b"t/fifo"]["kind"] == "fifo" and seen[b"t/sub/numbers"]["mode"] == "4755"
assert b"t/\xff\xfe" in seen and len(seen) == 11, seen.keys()
END
    for name in pax.tar ours.tar.gz ours.tar.zst; do
        run "$TREEMILL" list --json a/$name
        cp out events
        run python3 look.py events $name
        check "events of $name" [ "$status" -eq 0 ]
    done
fi

# Not whole, not right.
for name in gnu.tar gnu.tar.gz gnu.tar.xz ours.tar.gz ours.tar.zst newc.cpio; do
    head -c $(($(stat -c %s a/$name) / 2)) a/$name >short
    run "$TREEMILL" list -q short
    check "half of $name" ends 1 'short: .+'
    run "$TREEMILL" list -q --format=mtree short
    check "half of $name as mtree" ends 1 'short: .+'
done
run "$TREEMILL" list -q t/large
check "no archive" ends 1 't/large: read: no archive that is known'

# On a terminal the bar does not stand between the lines.
if has script; then
    TERM=xterm script -qec "$TREEMILL list --progress-interval=100ms a/gnu.tar" /dev/null </dev/null >screen 2>err
    check "a terminal gets the names" grep -q '^t/large' screen
    check "and no bar" [ "$(tr -d '\r' <screen | grep -c $'\x1b')" -eq 0 ]
fi

# By every model.
"$TREEMILL" list -q --format=mtree a/ours.tar.zst >want
for model in "${stage_models[@]}"; do
    run "$TREEMILL" list -q --format=mtree --read="$model" --compress="$model" --scan="$model" \
        a/ours.tar.zst
    check "list by $model" [ "$status$(cmp out want 2>&1)" = 0 ]
done

finish
