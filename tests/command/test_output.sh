#!/usr/bin/env bash
# Where results go: no file is half written, replaced unasked or left behind; standard descriptors
# may be closed, full or gone; events are JSON; lines come as soon as they are known.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
tm_undo() {
    [ ! -e "$work/mounted" ] || umount "$work/disk"
}

mkdir tree results
for name in {1..4000}; do echo "$name" >"tree/$name"; done
reference tree >want

only() { # NAME...: nothing else is in results
    diff <(printf '%s\n' "$@" | LC_ALL=C sort) \
        <(find results -mindepth 1 -printf '%P\n' | LC_ALL=C sort)
}

# A file of results appears complete, or not at all.
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    {
        rm -rf results && mkdir results
        run "$TREEMILL" hash -q $model -o results/new tree
        check "-o $model" cmp -s want results/new
        check "nothing on standard output $model" [ "$status$(wc -c <out)" = 00 ]
        echo precious >results/old
        run "$TREEMILL" hash -q $model -o results/old tree
        check "-o refuses $model" ends 2 'results/old: create: .*exists.*'
        check "-o leaves what is there $model" grep -qx precious results/old
        run "$TREEMILL" hash -q $model --force -o results/old tree
        check "--force replaces $model" cmp -s want results/old
        run "$TREEMILL" hash -q $model --force --fsync=file -o results/old tree
        check "--fsync=file" [ $status -eq 0 ]
        run "$TREEMILL" hash -q $model -o results/nowhere/new tree
        check "-o in a directory that is missing $model" \
            ends 2 'results/nowhere/new: create: No such.*'
        run "$TREEMILL" hash -q $model -o results tree
        check "-o names a directory $model" ends 2 'results: create: Is a directory'
        run "$TREEMILL" hash -q $model --fail-fast -o results/never tree/1 nowhere tree
        check "--fail-fast publishes nothing $model" [ $status -eq 2 ]
        run "$TREEMILL" hash -q $model -o /dev/full tree
        check "-o /dev/full $model" ends 2 '/dev/full: write: No space left on device'
        check "nothing else is left $model" only new old
    }
    for json in "" --json; do
        status=0
        # shellcheck disable=SC2086  # options are words
        timeout 60 "$TREEMILL" hash -q $model $json tree >/dev/full 2>err || status=$?
        check "a full standard output $json $model" \
            ends 2 'standard output: write: No space left on device'
        # The reader is gone after a line.
        # shellcheck disable=SC2086  # options are words
        timeout 60 "$TREEMILL" hash -q $model $json tree tree tree 2>err | head -n 1 >out
        status=${PIPESTATUS[0]}
        check "a reader that leaves $json $model" ends 2 'standard output: write: Broken pipe'
    done
done
# The summary of a job that failed does not read as success.
run bash -c '"$TREEMILL" hash tree >/dev/full'
check "a failed job says so" grep -q '^treemill: failed: hashed ' err
# The file that is replaced may be read meanwhile: it is another file.
echo old >results/old
exec 4<results/old
run "$TREEMILL" hash -q -f -o results/old tree/1
check "a replaced file keeps its readers" [ "$(cat <&4)" = old ]
exec 4<&-

# What could not get its name in the end is refused at once: nothing was read.
rm -rf results && mkdir results
ln -s nowhere/else results/dangling
run "$TREEMILL" hash -q -o results/dangling tree nowhere
check "-o names a link that leads nowhere" ends 2 'results/dangling: create: exists already.*'
run "$TREEMILL" hash -q -o results/none/ tree nowhere
check "-o names a directory that is missing" ends 2 'results/none/: create: Is a directory'
check "nothing is left" only dangling
rm results/dangling

# What killed runs for the same path left behind goes; what may be in use or another's stays.
sh -c 'echo $$' >pid
dead=$(cat pid)
touch "results/.new.treemill-$dead" "results/.new.treemill-$$" "results/.new.treemill-${dead}x" \
    "results/.newer.treemill-$dead" "results/.used.treemill-$dead"
exec 5<"results/.used.treemill-$dead"
flock -x 5
run "$TREEMILL" hash -q -o results/new tree/1
check "leftovers" only ".new.treemill-$$" ".new.treemill-${dead}x" ".newer.treemill-$dead" \
    ".used.treemill-$dead" new
run "$TREEMILL" hash -q -o results/used tree/1
check "a leftover in use" [ -e "results/.used.treemill-$dead" ]
exec 5<&-
run "$TREEMILL" hash -q -f -o results/used tree/1
check "a leftover in use no more" only ".new.treemill-$$" ".new.treemill-${dead}x" \
    ".newer.treemill-$dead" new used

# Closed standard descriptors: no other file takes their place.
for model in "${models[@]}"; do
    # shellcheck disable=SC2086  # options are words
    {
        status=0
        "$TREEMILL" hash -q $model tree <&- >out 2>err || status=$?
        check "closed input $model" [ "$status$(cmp want out)" = 0 ]
        "$TREEMILL" hash -q $model - tree/1 <&- >out 2>err || status=$?
        check "closed input, to be read $model" ends 3 '-: read: Bad file descriptor'
        check "the other file $model" cmp -s out <(sha256sum tree/1)
        status=0
        "$TREEMILL" hash -q $model tree >&- 2>err || status=$?
        check "closed output $model" ends 2 'standard output: write: Bad file descriptor'
        status=0
        "$TREEMILL" hash $model tree >out 2>&- || status=$?
        check "closed messages $model" [ "$status$(cmp want out)" = 0 ]
        rm -f results/new
        status=0
        "$TREEMILL" hash -v $model -o results/new tree <&- >&- 2>&- || status=$?
        check "all closed $model" [ "$status$(cmp want results/new)" = 0 ]
        status=0
        "$TREEMILL" verify $model results/new >&- 2>err || status=$?
        check "verify, closed output $model" [ "$status" -eq 2 ]
        check "the manifest is unharmed $model" cmp -s want results/new
    }
done

# A full disk
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=64k tmpfs disk 2>err; then
    : >mounted
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash -q $model -o disk/new tree
        check "a full disk $model" ends 2 'disk/new: write: No space left on device'
        check "nothing is left on it $model" [ -z "$(ls -A disk)" ]
        echo precious >disk/old
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash -q $model --force -o disk/old tree
        check "a full disk, to replace $model" ends 2 'disk/old: write: No space left on device'
        check "the old file stays alone $model" [ "$(ls -A disk)$(cat disk/old)" = oldprecious ]
        rm disk/old
    done
else
    echo "left out: a full disk (no right to mount one)"
fi

# Events and progress for programs: one JSON object a line.
if command -v jq >/dev/null; then
    ndjson() { # FILE: each line for itself an object with an event
        [ "$(jq -R -c 'fromjson | .event | strings' "$1" | wc -l)" -eq "$(wc -l <"$1")" ] &&
            [ -s "$1" ]
    }
    holds() { # FILTER FILE: true of the array of its objects
        jq -s -e "$1" "$2" >/dev/null
    }
    printf odd >tree/$'\xff"\n'
    for model in "${models[@]}"; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash $model --json tree nowhere
        check "--json is NDJSON $model" ndjson out
        check "--json: what was chosen, and why $model" holds 'last |
            [.stages[] | (.model | strings) and (.why | strings)] | length == 4 and all' out
        check "--json: kinds $model" [ "$(jq -r .event out | grep -vx status |
            sort | uniq -c | tr -s ' \n' ' ')" = \
            " 1 error 4001 file 1 start 1 summary " ]
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash $model --progress=json --progress-interval=100ms tree nowhere
        check "--progress=json $model" ndjson err
        check "only lines of the manifest beside it $model" [ "$(grep -Ec \
            '^\\?[0-9a-f]{64}  tree/' out) $(wc -l <out)" = "4001 4001" ]
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash $model -v --stats --progress=always tree nowhere
        check "people's lines stay off standard output $model" [ "$(grep -Ecv \
            '^\\?[0-9a-f]{64}  tree/' out)" -eq 0 ]
    done
    # The total is known long before the walk is: hours of work, and it waits for room.
    mkdir hours
    truncate -s 900G hours/{a,b,c,d}-hole
    for name in {1..500}; do echo "$name" >"hours/$name"; done
    run timeout --foreground -s TERM 3 "$TREEMILL" hash --progress=json --progress-interval=200ms hours
    check "the total is known ahead" holds 'map(select(.event == "status" and .totals_final and
        .files_total == 504 and .bytes_total > 3600e9)) | length > 2' err
    check "not from the first moment" holds 'map(select(.event == "status")) | .[0] |
        .elapsed_seconds < 0.5 and (.totals_final | not)' err
else
    echo "left out: events (jq is missing)"
fi

# Names come slowly: what is known is written before the next one is there.
mkfifo names results.fifo
for options in "${models[@]}" --json; do
    # shellcheck disable=SC2086  # options are words
    timeout 60 "$TREEMILL" hash -q $options --files-from=- <names >results.fifo 2>err &
    exec 5>names 6<results.fifo
    came=0
    for name in 1 2 3; do
        echo "tree/$name" >&5
        while read -t 60 -r line <&6; do
            case $line in *tree/$name*) came=$((came + 1)) && break ;; esac
        done
    done
    exec 5>&- 6<&-
    status=0
    wait $! || status=$?
    check "results as they come: $came of 3 $options" [ "$came" -eq 3 ]
done

finish
