#!/usr/bin/env bash
# Where the kernel or a container forbids something: what was asked for by name is refused with the
# reason, what was left to the program falls back, and treemill info tells.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
"${DENY:?names the program that forbids system calls}" openat2 EPERM true
[ $? -ne 77 ] || skip "this kernel has no seccomp filters"

mkdir -p tree/a
for n in $(seq 300); do head -c $((n * 41)) /dev/urandom >"tree/a/$n"; done
head -c 1500000 /dev/urandom >tree/large
reference tree >want

while IFS=: read -r error reason; do
    for option in --read=uring --hash=uring:4 --scan=uring --write=uring:2,loops=2 \
        --read=processes:2,io=uring --stages='read=uring:64'; do
        run "$DENY" io_uring_setup "$error" "$TREEMILL" hash -q "$option" tree
        check "$option, $error" ends 2 "--[a-z]+: uring is not available here: $reason"
        check "nothing is printed" [ ! -s out ]
    done
    run "$DENY" io_uring_setup "$error" "$TREEMILL" hash -q --read=auto,burst=4 tree
    check "burst=, $error" \
        ends 2 "--read: burst= needs uring, which is not available here: $reason"
    run "$DENY" io_uring_setup "$error" "$TREEMILL" info
    check "info, $error" grep -Eqx " +uring +not available: $reason" out
    run "$DENY" io_uring_setup "$error" "$TREEMILL" hash -q tree
    check "auto, $error" [ "$status" -eq 0 ]
    assert_same out want "auto, $error"
done <<'END'
EPERM:not permitted \(sysctl kernel.io_uring_disabled or a seccomp filter\)
ENOSYS:the kernel has no io_uring, or a seccomp filter hides it
ENOMEM:no memory for the ring \(RLIMIT_MEMLOCK\)
END

# Where only a part of it is missing the rest goes on without.
if has_model epoll; then
    for call in preadv2 openat2; do
        for error in ENOSYS EOPNOTSUPP; do
            [ "$call:$error" != openat2:EOPNOTSUPP ] || continue
            run "$DENY" $call $error "$TREEMILL" hash -q --scan=epoll:8 --read=epoll:8 tree
            check "epoll without $call ($error)" [ "$status" -eq 0 ]
            assert_same out want "epoll without $call ($error)"
        done
    done
fi
if has_model uring; then
    run "$DENY" io_uring_register EPERM "$TREEMILL" hash -q --read=uring:8 tree
    check "a ring that does not say what it can do" \
        ends 2 "--read: uring is not available here: the kernel's io_uring cannot read or poll"
    if [ "$(id -u)" -eq 0 ] && has setpriv; then # too little for the buffers: they are not registered
        run setpriv --reuid=65534 --clear-groups prlimit --memlock=1048576:1048576 \
            "$TREEMILL" hash -q --read=uring:8 tree
        check "uring with little locked memory" [ "$status" -eq 0 ]
        assert_same out want "uring with little locked memory"
    fi
fi

run "$DENY" memfd_create ENOSYS "$TREEMILL" hash -q --hash=processes:2 tree
check "no shared memory" ends 2 'memory: Function not implemented'
run "$DENY" memfd_create ENOSYS "$TREEMILL" hash -q tree
check "threads share none" [ "$status" -eq 0 ]
assert_same out want "no shared memory, threads"

# Each engine of compression is there with what it does, and what info says of the levels is what -v
# says when one is used.
run "$TREEMILL" info
cp out info
for line in 'isal +gzip, zip: levels 1 to 9, ISA-L [0-9.]+' \
    'libdeflate +gzip, zip: levels 1 to 12, libdeflate [0-9.]+' \
    'zlib +gzip, zip: levels 1 to 9, zlib [0-9.]+' 'zstd +zstd: levels 1 to 19, libzstd [0-9.]+' \
    'tar +.*, libarchive [0-9.]+'; do
    check "info: $line" grep -Eqx "  $line" info
done
used() { # OPTION...: the engine that create says it uses
    run "$TREEMILL" create -f -v "$@" tree/a
    sed -nE 's/.*; [a-z]+ by ([a-z]+), level [0-9]+\)$/\1/p' err
}
for form in gzip:tar.gz zstd:tar.zst zip:zip; do
    said=$(sed -n "/^levels$/,/^$/s/^  ${form%:*}  *//p" info)
    first=$(sed -E 's/[^:]*: 1( to [0-9]+)? by ([a-z]+).*/\2/' <<<"$said")
    last=$(sed -E 's/.* by ([a-z]+)$/\1/' <<<"$said")
    check "info: ${form%:*}, level 1" [ "$(used -1 "a.${form#*:}")" = "$first" ]
    check "info: ${form%:*}, default level" [ "$(used "a.${form#*:}")" = "$last" ]
done
if has jq; then
    run "$TREEMILL" info --json
    check "info --json" [ "$(jq -r '.codecs | keys | join(" ")' out)" = "isal libdeflate zlib zstd" ]
fi

run "$TREEMILL" --version
check "--version" [ "$status" -eq 0 ]
check "--version begins with the program's own" grep -Eqx 'treemill [0-9]+\.[0-9]+\.[0-9]+' out
for library in OpenSSL xxhash ISA-L libdeflate zlib libzstd libarchive liburing; do
    check "--version names $library" grep -Eqx "  $library [0-9.]+" out
done

finish
