#!/usr/bin/env bash
# What programs read of a job: events on standard output, on standard error and on a descriptor of
# their own. Well-formed to two other parsers, as the manual page says, and in the end true.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has jq || skip "no parser of JSON"

mkdir -p tree/deep hours
for name in {1..400}; do head -c $((name * 97)) /dev/urandom >"tree/$name"; done
head -c 5000000 /dev/zero >tree/deep/large
printf odd >tree/deep/$'\xff"\n'
truncate -s 900G hours/{a,b,c,d}-hole
files=$(find tree -type f -printf x | wc -c)
bytes=$(find tree -type f -printf '%s\n' | awk '{n += $1} END {print n}')

parses() { # FILE: each line is an object that has a schema and an event
    local lines
    lines=$(wc -l <"$1")
    [ "$lines" -gt 0 ] &&
        [ "$(jq -R -c 'fromjson | select(.schema == 1) | .event | strings' "$1" | wc -l)" -eq "$lines" ]
}
# The other parser stops at what is not UTF-8, or not JSON.
python_reads() { # FILE
    python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8", errors="strict"):
    assert line.endswith("\n") and type(json.loads(line)) is dict' "$1"
}
well_formed() { # NAME FILE
    check "$1: to jq" parses "$2"
    if command -v python3 >/dev/null; then check "$1: to python" python_reads "$2"; fi
}
true_of() { # FILE FILTER: of the array of its events
    jq -s -e "$2" "$1" >/dev/null
}

# Every verb: the last status has the figures of the whole job, the summary the same.
: >seen
watch_verb() { # NAME FILES BYTES ARGUMENTS...
    local name=$1 wanted="$2 $3"
    shift 3
    run "$TREEMILL" "$@" --progress-fd=9 9>watched
    check "$name: ends well" [ "$status" -eq 0 ]
    well_formed "$name" watched
    check "$name: start, status, summary" true_of watched \
        '.[0].event == "start" and .[-1].event == "summary" and .[-2].event == "status" and
            ([.[1:-1][].event] | unique) == ["status"]'
    check "$name: the last status is final, and no other" true_of watched \
        'map(select(.event == "status").final) | .[-1] and (.[:-1] | any | not)'
    check "$name: $wanted in the end" [ "$(jq -r 'select(.final) |
        "\(.files_done) \(.bytes_done)"' watched)" = "$wanted" ]
    check "$name: totals" [ "$(jq -r 'select(.final) |
        "\(.files_total) \(.bytes_total) \(.totals_final) \(.share) \(.errors)"' watched)" = "$wanted true 1 0" ]
    check "$name: the summary says so, too" [ "$(jq -r 'select(.event == "summary") |
        "\(.files) \(.bytes)"' watched)" = "$wanted" ]
    # A summary of something else than data is still the only thing for people.
    check "$name: messages" [ "$(grep -vc '^treemill: [a-z]* [0-9]' err)" -eq 0 ]
    check "$name: no messages of another size" [ "$(jq -r 'select(.final) | .output_bytes // 0' watched)" = \
        "$(jq -r 'select(.event == "summary") | .output_bytes // 0' watched)" ]
    cat watched >>seen
}
more=()
with_processes && more=("--stages=read=processes:2;hash=processes:2")
for options in --scan-first "--threads=3" "${more[@]}"; do
    rm -rf sums packed back ./*.tar* ./*.zip
    watch_verb "hash $options" "$files" "$bytes" hash "$options" -o sums tree
    [ "$options" = --scan-first ] || watch_verb "verify $options" "$files" "$bytes" \
        verify --quiet "$options" sums
    options=${options/hash=/compress=}
    watch_verb "compress $options" "$files" "$bytes" compress -r "$options" -o packed tree
    packed_bytes=$(find packed -type f -printf '%s\n' | awk '{n += $1} END {print n}')
    check "compress $options: what was written" [ "$(jq -r 'select(.final).output_bytes' watched)" = \
        "$packed_bytes" ]
    check "compress $options: the ratio" true_of watched "map(select(.final)) | .[0].ratio |
        (. - $packed_bytes / $bytes) | fabs < 0.0001"
    watch_verb "decompress $options" "$files" "$packed_bytes" decompress -r "$options" -o back packed
    watch_verb "test $options" "$files" "$packed_bytes" test -r "$options" packed
    for archive in a.tar a.tar.gz a.tar.zst a.zip; do
        watch_verb "create $archive $options" "$files" "$bytes" create "$options" "$archive" tree
        check "create $archive $options: its size" [ "$(jq -r 'select(.final).output_bytes' watched)" = \
            "$(stat -c %s "$archive")" ]
    done
    check "a tar has no ratio" [ "$(jq -c 'select(.final and has("ratio")) | 1' watched | wc -l)" = 1 ]
done

# Hard links and holes are not counted twice: the totals known beforehand are those of the end.
ln tree/1 tree/1-again
ln tree/deep/large large-again
head -c 200000 /dev/urandom >tree/sparse
truncate -s 40M tree/sparse
head -c 9 /dev/urandom >beside
for archive in b.tar.gz b.zip; do
    run "$TREEMILL" create --scan-first --progress-interval=100ms --progress-fd=9 "$archive" \
        tree large-again beside ./tree/deep 9>watched
    check "$archive: totals are final from the first status on" true_of watched \
        'map(select(.event == "status")) | all(.totals_final) and
            (map([.files_total, .bytes_total]) | unique | length) == 1'
    check "$archive: and are what is done in the end" true_of watched 'map(select(.final)) | .[0] |
        .files_done == .files_total and .bytes_done == .bytes_total and .files_total > 400'
done
rm tree/1-again large-again tree/sparse

# The total before the work: of a tree, and of a list.
printf 'tree\nhours\n' >list
for operands in "tree hours" "--files-from=list"; do
    # shellcheck disable=SC2086  # options are words
    run timeout --foreground -s TERM 2 "$TREEMILL" hash --scan-first --progress-fd=9 \
        --progress-interval=100ms -o never $operands 9>watched
    check "all is counted before the work begins, $operands" true_of watched "map(select(.event == \"status\" and
        .bytes_done > 0)) | length > 3 and all(.totals_final and .files_total == $((files + 4)) and
            .bytes_total == $((bytes + 4 * 900 * 1024 * 1024 * 1024)) and .share < 0.9)"
    cat watched >>seen
    check "time is left, $operands" true_of watched 'map(select(.event == "status")) | .[-2].eta_seconds > 10'
done
run "$TREEMILL" hash --scan-first --files-from=- </dev/null
check "names that come once cannot be counted first" ends 2 '--scan-first .*must be in a file'
(sleep 1 && echo tree/1) | run "$TREEMILL" hash --progress=json --progress-interval=100ms --files-from=- -o slow
check "totals are bounds while names come" true_of err 'map(select(.event == "status" and .elapsed_seconds < 0.8)) |
    length > 2 and all(.totals_final | not)'

# Input of unknown size: it moves, and nobody says how much is to come.
cat tree/* 2>/dev/null | gzip -c >packed.gz
half=$(($(stat -c %s packed.gz) / 2))
slowly() {
    head -c $half packed.gz
    sleep 1.5
    tail -c +$((half + 1)) packed.gz
}
for verb in "hash -" "decompress -c -" "test -" "compress -fc --format=zstd -"; do
    # shellcheck disable=SC2086  # options are words
    slowly | "$TREEMILL" $verb --progress-fd=9 --progress-interval=100ms 9>watched >out 2>err
    check "$verb: half of it is seen" true_of watched "map(select(.event == \"status\" and
        .elapsed_seconds > 0.5 and .elapsed_seconds < 1.3)) | length > 0 and
        all(.bytes_done > $((half / 2)) and .bytes_done <= $half and .share == null)"
    check "$verb: all of it in the end" [ "$(jq 'select(.final) | .bytes_done, .bytes_total' watched |
        uniq -c | tr -s ' ')" = " 2 $(stat -c %s packed.gz)" ]
done
# One large file that cannot be divided is not 0 % until it is done.
mkfifo taker
head -c 30000000 /dev/urandom | gzip -1c >one.gz
"$TREEMILL" decompress -c one.gz --progress-fd=9 --progress-interval=100ms 9>watched >taker 2>err &
(for _ in {1..10}; do
    head -c 2000000
    sleep 0.2
done >/dev/null && cat >/dev/null) <taker
wait $!
check "a large stream is seen on its way" true_of watched 'map(select(.event == "status").share |
    select(. > 0.1 and . < 0.9)) | unique | length > 3'

# What verify finds is told while it goes on.
sed -E '1s/^(.)/\1 /; 1s/^f /0/; 1s/^. /f/; 2s/$/-gone/' sums >wrong
run "$TREEMILL" verify --quiet --progress-fd=9 wrong 9>watched
check "one differs, one is missing" [ "$status $(jq -c 'select(.final) | .errors' watched)" = "1 2" ]
check "the summary tells them apart" true_of watched \
    '.[-1] | .differing == 1 and .missing == 1 and .errors == 0 and .exit_status == 1'

# --json and --progress=json
run "$TREEMILL" verify --json --progress-interval=100ms sums
well_formed "verify --json" out
cat out >>seen
run "$TREEMILL" hash --json tree nowhere
well_formed "--json" out
cat out >>seen
check "--json leaves standard error to people" [ "$(sed 1q err)$(grep -vc '^treemill: ' err)" = \
    "treemill: nowhere: stat: No such file or directory0" ]
mkfifo fifo
run "$TREEMILL" hash --progress=json -v tree nowhere fifo
well_formed "--progress=json" err
cat err >>seen
check "nothing for people beside it" [ "$(grep -vc '^{' err)" -eq 0 ]
check "a name that is not UTF-8 is in base64" [ "$(jq -r 'select(.event == "file") | .path_b64 // empty' \
    seen | sort -u | base64 -d | tr -d '\n')" = $'tree/deep/\xff"' ]

# The stages' work
run "$TREEMILL" hash -q --stats=json -o stats tree
well_formed "--stats=json" err
cat err >>seen
check "one event" [ "$(jq -r .event err)" = stats ]
check "of four stages" [ "$(jq -c '[.stages[].name]' err)" = '["scan","read","hash","write"]' ]
check "whose bytes are the files'" [ "$(jq '.stages[2].bytes' err)" -eq "$bytes" ]
for format in --stats --stats=table; do
    run "$TREEMILL" hash -q -f $format -o stats tree
    check "$format: a table" [ "$(awk '{print $1}' err | tr '\n' ' ')" = "stage scan read hash write " ]
done
run "$TREEMILL" hash --stats=xml tree
check "of two forms" [ "$status" -eq 2 ]

# Members of an archive, a link and a device among them.
ln -s 1 tree/link
tar -cf members.tar tree -C / dev/null
run "$TREEMILL" list --json members.tar
well_formed "list --json" out
cat out >>seen
rm tree/link

# The manual page describes every event and key that there are, and no others.
"$TREEMILL" man | awk '/^\.SH/ {here = /EVENTS/} here' >section
check "the schema's number" grep -qE ' 1\.$' section
awk '/^\.SS/ {event = $2} /^\.TP/ {getline; gsub(/\\fB|\\fR/, ""); print event, $0}' section |
    LC_ALL=C sort >documented
jq -r '.event as $event | keys[] | select(. != "event" and . != "schema") |
    sub("_b64$"; "") | "\($event) \(.)"' seen | LC_ALL=C sort -u >came
check "keys that are not documented: $(comm -13 documented came | tr '\n' ' ')" \
    [ -z "$(comm -13 documented came)" ]
check "keys that never came: $(comm -23 documented came | tr '\n' ' ')" \
    [ -z "$(comm -23 documented came)" ]
check "documented keys: $(wc -l <documented)" [ "$(wc -l <documented)" -gt 40 ]

# shellcheck disable=SC2016  # backticks of the README
sed -n 's/^| `\([a-z]*\)` | `\([a-z_ ]*\)` |$/\1 \2/p' "$SOURCE/README.md" |
    awk '{for (i = 2; i <= NF; i++) print $1, $i}' | LC_ALL=C sort >readme
check "README: $(comm -3 readme documented | tr '\n\t' '  ')" cmp -s readme documented

# Descriptors
run "$TREEMILL" hash --progress-fd=9 tree/1
check "one that is not open" ends 2 '--progress-fd=9: not open for writing'
run "$TREEMILL" hash --progress-fd=9 tree/1 9</dev/null
check "one to read from" ends 2 '--progress-fd=9: not open for writing'
run "$TREEMILL" hash --progress-fd=1 tree/1
check "standard output is for data" [ "$status" -eq 2 ]
run "$TREEMILL" hash -q --progress-fd=9 tree 9>/dev/full
check "one that is full is no error" [ "$status$(wc -l <out)" = "0$files" ]
mkfifo pipe
(exec 8<pipe && sleep 1) &
run "$TREEMILL" hash -q --progress-fd=9 --progress-interval=100ms tree tree tree 9>pipe
check "nor is a reader that has gone" [ "$status" -eq 0 ]
# A reader that never reads: the pipe takes 16 pages, the job goes on.
exec 8<>pipe
status=0
timeout --foreground -s TERM 12 "$TREEMILL" hash -q --progress-fd=8 --progress-interval=100ms -o never hours 2>err ||
    status=$?
check "a reader that does not read" [ "$status" -eq 124 ]
exec 8<&-

finish
