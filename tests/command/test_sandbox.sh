#!/usr/bin/env bash
# --sandbox: what the kernel holds the program to, what auto leaves out, and that require fails where
# something is missing.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
: "${DENY:?names the program that forbids system calls}"

mkdir -p tree/a tree/b elsewhere
for n in $(seq 40); do seq $((n * 30)) >"tree/a/$n"; done
seq 200000 >tree/b/large
cp -r tree plain
"$TREEMILL" compress -q -r -o packed tree || exit 1
"$TREEMILL" hash -q -o sums tree || exit 1
no_landlock=$("$TREEMILL" info | sed -n 's/^  landlock *not available: //p')
no_seccomp=$("$TREEMILL" info | sed -n 's/^  seccomp *not available: //p')
can_deny=true
"$DENY" openat2 EPERM true || can_deny=false

said() { # PATTERN: by the last run, with -v
    check "says: $1" grep -Eqx -- "treemill: $1" err
}

# Each verb: what it does, once more from the start.
verbs=(hash verify create compress decompress test)
run_verb() { # VERB [PREFIX...] -- OPTION...
    local verb=$1 prefix=()
    shift
    while [ "$1" != -- ]; do prefix+=("$1") && shift; done
    shift
    rm -rf new
    case $verb in
    hash) run "${prefix[@]}" "$TREEMILL" hash "$@" -o new tree ;;
    verify) run "${prefix[@]}" "$TREEMILL" verify "$@" sums ;;
    create) run "${prefix[@]}" "$TREEMILL" create "$@" new tree --format=tar.gz ;;
    compress) run "${prefix[@]}" "$TREEMILL" compress "$@" -r -o new tree ;;
    decompress) run "${prefix[@]}" "$TREEMILL" decompress "$@" -r -o new packed ;;
    test) run "${prefix[@]}" "$TREEMILL" test "$@" -r packed ;;
    esac
}

# Without Landlock.
refused() { # TEXT REASON: the last run, with nothing published
    local files
    files=$(find new -type f 2>/dev/null)
    check "$1: refused" [ "$status" -eq 2 ]
    check "$1: says why" grep -Eqx -- "treemill: --sandbox=require: $2" err
    check "$1: nothing is published: $files" [ -z "$files" ]
}
without_landlock() { # REASON [PREFIX...]
    local reason=$1 verb
    shift
    run "$@" "$TREEMILL" info
    check "info: $reason" grep -Eqx "  landlock +not available: $reason" out
    for verb in "${verbs[@]}"; do
        run_verb "$verb" "$@" -- --sandbox=require
        refused "$verb, $reason" "$reason"
        run_verb "$verb" "$@" -- --sandbox=off
        check "$verb, off, $reason" [ "$status" -eq 0 ]
        run_verb "$verb" "$@" -- -v
        check "$verb, auto, $reason" [ "$status" -eq 0 ]
    done
    said "sandbox: none: $reason" # test is the last
}
if [ -n "$no_landlock" ]; then
    without_landlock "$no_landlock"
elif $can_deny; then
    while IFS=: read -r error reason; do
        without_landlock "$reason" "$DENY" landlock_create_ruleset "$error"
    done <<'END'
ENOSYS:the kernel has no Landlock, or a seccomp filter hides it
EOPNOTSUPP:Landlock is switched off \(kernel parameter lsm=\)
EPERM:Landlock is not permitted \(a seccomp filter\)
END
    # What is found out late is as good a reason.
    run_verb test "$DENY" landlock_restrict_self EPERM -- --sandbox=require
    refused "restricting" "Landlock: Operation not permitted"
    run_verb hash "$DENY" landlock_add_rule ENOMEM -- --sandbox=require
    refused "a rule" "\\.: Cannot allocate memory"
else
    left_out "an absence of Landlock: this kernel has no seccomp filters"
fi

# Without seccomp. Nobody who has no processes asks for it.
without_seccomp() { # REASON [PREFIX...]
    local reason=$1
    shift
    run "$@" "$TREEMILL" info
    check "info: $reason" grep -Eqx "  seccomp +not available: $reason" out
    run_verb compress "$@" -- --sandbox=require --compress=processes:2
    refused "processes, $reason" "processes cannot be confined: $reason"
    run_verb compress "$@" -- -v --compress=processes:2
    check "auto, $reason" [ "$status" -eq 0 ]
    check "nothing is said to be confined" [ "$(grep -c ', confined' err)" -eq 0 ]
    [ -n "$no_landlock" ] && return
    run_verb compress "$@" -- --sandbox=require --compress=threads:2
    check "no processes, $reason" [ "$status" -eq 0 ]
}
if ! with_processes; then
    left_out "processes: ThreadSanitizer does not follow them"
elif [ -n "$no_seccomp" ]; then
    without_seccomp "$no_seccomp"
elif $can_deny; then
    while IFS=: read -r error reason; do
        without_seccomp "$reason" "$DENY" seccomp "$error"
    done <<'END'
ENOSYS:the kernel has no seccomp filters, or another one hides them
EPERM:seccomp is not permitted \(a seccomp filter\)
EOPNOTSUPP:the kernel's seccomp cannot kill a process
END
fi

# Worker processes. What they run with is to be seen in /proc while they wait: for input, which comes
# late, and for whoever takes the output.
workers_of() { # PID: "NAME SECCOMP;" of all that its nursery has forked
    local nursery child status_file
    nursery=$(pgrep -P "$1" -x nursery) || return
    for child in $(pgrep -P "$nursery"); do
        status_file=/proc/$child/status
        sed -n 's/^Name:\t//p; s/^Seccomp:\t//p' "$status_file" | paste -sd ' '
    done | sort | paste -sd ';'
}
watched() { # TEXT WANTED COMMAND...
    local text=$1 wanted=$2 tries=0 pid seen
    shift 2
    rm -f feed drain
    mkfifo feed drain
    "$@" <feed >drain 2>err &
    pid=$!
    exec 9>feed 8<drain
    while seen=$(workers_of "$pid") || true && [ "$seen" != "$wanted" ] && [ "$tries" -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    echo data >&9
    exec 9>&-
    cat <&8 >/dev/null
    exec 8<&-
    status=0
    wait "$pid" || status=$?
    check "$text: $seen" [ "$seen" = "$wanted" ]
    check "$text: ends well" [ "$status" -eq 0 ]
}
if [ -n "$no_seccomp" ]; then
    left_out "confined workers: $no_seccomp"
elif ! with_processes || ! has pgrep; then
    left_out "confined workers: they cannot be looked at"
else
    watched "compress" 'compress-0 2;compress-1 2' "$TREEMILL" compress -q --compress=processes:2 -
    watched "zip" 'compress-0 2;compress-1 2' \
        "$TREEMILL" create -q --compress=processes:2 --format=zip - tree
    watched "off" 'read-0 0;read-1 0' \
        "$TREEMILL" compress -q --sandbox=off --compress=processes:2 -
    watched "what opens files is not confined" 'read-0 0' \
        "$TREEMILL" compress -q --read=processes:1 --compress=inline -
    watched "a tar asks for names" 'read-0 0' \
        "$TREEMILL" create -q --compress=processes:1 --format=tar.gz - tree
    watched "render" 'write-0 2' "$TREEMILL" hash -q --write=processes:1 -

    # Reading and writing are left to threads then, and the output is the same.
    run_verb compress -- -v --compress=processes:2
    check "confined, with files" [ "$status" -eq 0 ]
    said 'read: threads:2(,burst=16)? \(auto: processes of the stage after it open no files(; .*)?\)'
    said 'compress: processes:2, confined \(its flag; .*\)'
    said 'write: threads:2 \(auto: processes of the stage before it open no files\)'
    check "the same files" diff -r new packed
    for zone in UTC0 Europe/Berlin :/usr/share/zoneinfo/Asia/Kathmandu; do
        for model in threads:1 processes:2; do
            run env TZ=$zone "$TREEMILL" create -q -f --compress=$model $model.zip tree
            check "zip, $zone, $model" [ "$status" -eq 0 ]
        done
        assert_same threads:1.zip processes:2.zip "a time zone that is known only by its file: $zone"
    done
fi

[ -z "$no_landlock" ] || {
    left_out "what Landlock does: $no_landlock"
    finish
}

# All verbs do under it what they do without.
for verb in "${verbs[@]}"; do
    run_verb "$verb" -- -v --sandbox=off
    check "$verb, off" [ "$status" -eq 0 ]
    check "$verb: nothing is said of a sandbox" [ "$(grep -c sandbox err)" -eq 0 ]
    rm -rf without && { [ ! -e new ] || cp -r new without; }
    for processes in "" yes; do
        [ -z "$processes" ] || { [ -z "$no_seccomp" ] && with_processes; } || continue
        # shellcheck disable=SC2086
        case $verb in
        hash | verify) run_verb "$verb" -- -v --sandbox=require ${processes:+$model_processes} ;;
        *) run_verb "$verb" -- -v --sandbox=require ${processes:+--compress=processes:2} ;;
        esac
        check "$verb, require, processes: $processes" [ "$status" -eq 0 ]
        said 'sandbox: Landlock ABI [0-9]+: writing beneath given places only, .*'
        [ ! -e new ] || check "$verb, require, processes: $processes: the same" diff -r new without
    done
done

# What the kernel knows of it.
sandboxed() { # WANTED OPTION...
    local tries=0 flag=
    rm -f feed
    mkfifo feed
    "$TREEMILL" test -q "${@:2}" - <feed &
    exec 9>feed
    while flag=$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$!/status") && [ "$flag" != "$1" ] &&
        [ "$tries" -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    gzip </dev/null >&9
    exec 9>&-
    wait $!
    check "test ${*:2}: no new privileges: $flag" [ "$flag" = "$1" ]
}
sandboxed 1
sandboxed 1 --sandbox=require
sandboxed 0 --sandbox=off

# A link that leads out of the output directory. Whoever has put it there may want that, so auto
# leaves it be; require does not.
lead_out() { # ARGUMENT...
    rm -rf target elsewhere
    mkdir -p target/packed elsewhere/a elsewhere/b
    ln -s "$work/elsewhere" target/packed/tree
    run "$TREEMILL" "$@"
}
lead_out decompress -r -o target packed --sandbox=require
check "a link that leads out, require" [ "$status" -eq 3 ]
check "each file is reported" \
    [ "$(grep -c '^treemill: packed/tree/.*: create: Permission denied' err)" -eq 41 ]
check "nothing is there" [ -z "$(find elsewhere -type f)" ]
lead_out decompress -r -o target packed -v
check "a link that leads out, auto" [ "$status" -eq 0 ]
said 'sandbox: none: the output directory is not empty: links in it may lead elsewhere'
check "all is there" diff -r elsewhere tree
lead_out decompress -q -r -o target packed --sandbox=off
check "a link that leads out, off" [ "$status" -eq 0 ]
check "all is there" diff -r elsewhere tree

# Beside the files.
rm -rf beside && cp -r packed beside
run "$TREEMILL" decompress -r -v --remove-source beside/tree/a beside/tree/b/large.gz
check "beside the files, auto" [ "$status" -eq 0 ]
said 'sandbox: Landlock .*'
check "in their place" diff -r beside/tree tree
run "$TREEMILL" compress -r -q --sandbox=require --remove-source beside/tree/a beside/tree/b/large
check "beside the files, require" [ "$status" -eq 0 ]
check "and back" diff -r beside/tree packed/tree
cd beside/tree/b || exit 1
run "$TREEMILL" decompress -q --sandbox=require large.gz
cd "$work" || exit 1
check "in the current directory" [ "$status" -eq 0 ]
assert_same beside/tree/b/large tree/b/large
rm beside/tree/b/large
run "$TREEMILL" decompress -r -q --sandbox=require --remove-source -o moved beside
check "below another directory, and the sources go" [ "$status" -eq 0 ]
check "the sources are gone" [ -z "$(find beside -name '*.gz')" ]
run "$TREEMILL" decompress --sandbox=require packed/tree/a/1.gz nowhere/2.gz
check "an operand that is not there" [ "$status" -eq 3 ]
rm -f packed/tree/a/1

# Where the outputs go is not known beforehand.
echo packed/tree/a/2.gz >names
run "$TREEMILL" decompress -v --files-from=names
check "--files-from, auto" [ "$status" -eq 0 ]
said 'sandbox: none: where --files-from leads is not known beforehand'
rm packed/tree/a/2
for option in --files-from=names --dereference; do
    run "$TREEMILL" decompress --sandbox=require "$option" packed/tree/a/3.gz
    check "$option, require" ends 2 \
        "--sandbox=require: where ${option%%=*} leads is not known beforehand"
    check "$option: nothing is there" [ ! -e packed/tree/a/3 ]
    run "$TREEMILL" decompress -q --sandbox=require "$option" -o "known$option" packed/tree/a/3.gz
    check "$option, with --output" [ "$status" -eq 0 ]
    run "$TREEMILL" test -q --sandbox=require "$option" packed/tree/a/3.gz
    check "$option, test" [ "$status" -eq 0 ]
done

# Outputs in several directories; and those that exist are found before anything is given up.
mkdir -p one two
run "$TREEMILL" create -q --sandbox=require --manifest=two/sums one/tree.tar.gz tree
check "an archive here, its manifest there" [ "$status" -eq 0 ]
check "the manifest is right" sha256sum --quiet -c two/sums
run "$TREEMILL" create -q -f --sandbox=require --manifest=two/sums one/tree.tar.gz tree
check "both are replaced" [ "$status" -eq 0 ]
check "no temporary file is left" [ "$(find one two -type f | wc -l)" -eq 2 ]
run "$TREEMILL" hash -n --sandbox=require tree
check "--dry-run" [ "$status" -eq 0 ]
run "$TREEMILL" verify -q --sandbox=require --extra=fail sums
check "verify walks twice" [ "$status" -eq 1 ]
run "$TREEMILL" hash --sandbox=maybe tree
check "another word" ends 2 "--sandbox: .*auto, require.* off.*"

check "the tree is as it was" diff -r tree plain
finish
