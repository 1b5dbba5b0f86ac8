#!/usr/bin/env bash
# The worker that takes an archive apart dies, as one does whose library an archive has crashed, or
# whom the seccomp filter has stopped: that costs this archive, is one line and status 1, and what
# has been made of it is whole.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
with_processes || skip "ThreadSanitizer cannot see what is put in order by another process"
command -v ps >/dev/null || skip "ps is missing: the worker cannot be found"
umask 022

mkdir -p tree/sub
for name in {1..50}; do seq 1 "$((name * 40))" >"tree/sub/$name"; done
head -c 3000000 /dev/urandom >tree/large
seq 1 200000 >tree/sub/numbers
tar -cf t.tar tree
gzip -1 <t.tar >t.tar.gz
xz -0 <t.tar >t.tar.xz
"$TREEMILL" create -q ours.tar.gz tree
bsdtar --format newc -cf t.cpio tree

whole() { # TEXT: what there is below x is as it was, and nothing else is there
    local odd
    odd=$(cd x 2>/dev/null && find . -type f -exec sh -c 'cmp -s "$1" "../$1" || echo "$1"' - {} \;)
    check "what there is is whole, $1" [ -z "$odd" ]
    check "no temporary file, $1" [ -z "$(find x -name '.*treemill-*' 2>/dev/null)" ]
}
lost() { # TEXT ARCHIVE: the last run
    check "one line and status 1, $1" ends 1 "$2: scan: worker (was )?killed.*"
    whole "$1"
    rm -rf x
}

# Twice the same item kills its worker: it was no accident.
if TREEMILL_CRASH=no-such-point "$TREEMILL" list -q t.tar >out 2>err; then
    left_out "crash points (this build has none)"
else
    for archive in t.tar t.tar.gz t.tar.xz t.cpio ours.tar.gz; do
        for plan in work:1x2 work:2x2 work:2 work:3x2; do
            status=0
            TREEMILL_CRASH=$plan timeout 60 "$TREEMILL" extract -q --read=threads:1 --compress=threads:1 \
                --write=threads:2 --scan=processes:1 -C x "$archive" >out 2>err || status=$?
            # It may have died before it began, or have had less to do than that.
            if [ "$status" -eq 0 ]; then
                check "nothing is missing, $archive $plan" diff -r tree x/tree
                rm -rf x
            else
                lost "$archive $plan" "$archive"
            fi
        done
        status=0
        TREEMILL_CRASH=work:1x2 timeout 60 "$TREEMILL" list -q --read=threads:1 --compress=threads:1 \
            --scan=processes:1 "$archive" >out 2>err || status=$?
        check "list, $archive" ends 1 "$archive: scan: worker .*killed.*"
    done
    # An archive in which that happens is none of the next one's business.
    expect_status 0 "$TREEMILL" extract -q --scan=processes:1 -C x t.tar
    check "the next one" diff -r tree x/tree
    rm -rf x
fi

# Killed from outside, in the middle of an archive of which more is still to come.
set -m
for archive in t.tar t.tar.gz t.tar.xz t.cpio; do
    bytes=$(($(stat -c %s "$archive") / 2))
    mkfifo pipe
    timeout 60 "$TREEMILL" extract -q --scan=processes:1 --write=threads:2 -C x - <pipe >out 2>err &
    pid=$!
    exec 9>pipe
    head -c "$bytes" "$archive" >&9
    waited=0 victim=
    # It has begun when something is there.
    while [ "$waited" -lt 200 ] && [ -z "$(find x -type f 2>/dev/null | head -n 1)" ]; do
        waited=$((waited + 1))
        sleep 0.02
    done
    victim=$(ps -e -o pgid=,pid=,comm= | awk -v group=$pid '$1 == group && $3 ~ /^scan-/ {print $2}')
    check "there is a worker, $archive" [ -n "$victim" ]
    kill -KILL "$victim"
    tail -c "+$((bytes + 1))" "$archive" >&9 2>/dev/null
    exec 9>&-
    status=0
    wait $pid || status=$?
    lost "$archive by a pipe, killed" -
    rm -f pipe
done 2>/dev/null
set +m
finish
