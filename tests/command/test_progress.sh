#!/usr/bin/env bash
# Watching a job through a real terminal: the bar at all widths, resized, stopped and continued, with
# data on the same terminal; and what is left of it in the end: one line.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has tmux || skip "no terminal to look at"
has script || skip "no terminal to record"

# Hours of work that need no room: holes.
mkdir hours tree
truncate -s 900G hours/{a,b,c,d}-hole
for name in {1..300}; do
    echo "$name" >"hours/$name"
    head -c "$name" /dev/zero >"tree/$name"
done
mkfifo names
# Short names, so that no command line is wrapped.
ln -s "$TREEMILL" t

# The terminal. Its shell has a short prompt and no start-up files.
export TMUX_TMPDIR=$work
terminal() {
    tmux -f /dev/null "$@" 2>>tmux.err
}
open_terminal() { # COLUMNS ROWS LOCALE
    terminal new-session -d -x "$1" -y "$2" "LC_ALL=$3 PS1='\$ ' bash --norc --noprofile -i"
    shows '^\$'
    # What a terminal that becomes narrower moves above the screen cannot be erased any more: at the
    # bottom, where a bar usually is, that is other lines.
    enter "tput cup 18 0"
    shows '^\$$'
}
close_terminal() {
    terminal kill-server
    while terminal has-session; do sleep 0.1; done
}
tm_undo() {
    close_terminal
}
enter() {
    terminal send-keys -l "$1"
    terminal send-keys Enter
}
screen() { # without its empty lines
    terminal capture-pane -p | grep -v '^$' >"$work/out"
    cat "$work/out"
}
shows() { # PATTERN: it appears within a long time
    local tries=${patience:-600}
    while [ "$tries" -gt 0 ]; do
        screen | grep -qE -- "$1" && return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    return 1
}
bars() { # how many lines look like the first one of a bar
    screen | grep -c 'ETA'
}
has_bars() { # COUNT
    [ "$(bars)" -eq "$1" ]
}
resize() { # COLUMNS ROWS
    terminal resize-window -x "$1" -y "$2"
}
elapsed() { # seconds that the bar shows
    screen | sed -nE 's/.* ([0-9]+):([0-9][0-9])( .*|$)/\1 \2/p' | tail -n 1 |
        awk '{print $1 * 60 + $2}'
}

one_line='^ +[0-9]+%  \[.*\]  .*/s  ETA [ 0-9:]+$'
second_line='^mean .*/s   [0-9]:[0-9][0-9]  (bottleneck [a-z]+ +[0-9]+%  |).*hole$'
shapes() { # COLUMNS: the bar has the form that it is to have there
    local columns=$1 lines
    # A frame may be half-drawn when it is looked at.
    for _ in {1..50}; do
        lines=$(screen | grep -A1 ETA)
        case $columns in
        40) [[ $(wc -l <<<"$lines") -eq 1 ]] && grep -qE "$one_line" <<<"$lines" && return 0 ;;
        80) head -n 1 <<<"$lines" | grep -qE '^(hash|) +[0-9]+%  \[.*\] .*files .*/s  ETA' &&
            tail -n 1 <<<"$lines" | grep -qE "$second_line" && return 0 ;;
        200) head -n 1 <<<"$lines" | grep -qE '^hash +[0-9]+%  \[.*\] .*files .*/s  ETA' &&
            tail -n 1 <<<"$lines" | grep -qE "  scan +[0-9]+%.*  read +[0-9]+%.*  hash +[0-9]+%" && return 0 ;;
        esac
        sleep 0.2
    done
    return 1
}
narrow_enough() { # COLUMNS
    screen | awk -v columns="$1" 'length > columns {exit 1}'
}

# All widths, from each to each other, both locales; then the job is stopped, goes on and is ended.
watch_hours() { # LOCALE OPTION...
    local locale=$1 options=${*:2} before columns
    check "a terminal, $locale" open_terminal 80 24 "$locale"
    enter "./t hash -o sums --scan-first $options hours"
    check "a bar, $locale" shows ETA
    for columns in 80 40 200 40 80 200 80; do
        resize "$columns" 24
        check "the bar's form at $columns columns, $locale" shapes "$columns"
        check "no wider than $columns, $locale" narrow_enough "$columns"
        check "one bar after the resize to $columns, $locale" has_bars 1
    done
    # A low terminal has no room for the second line.
    resize 80 8
    sleep 0.5
    check "one line on a low terminal, $locale" [ "$(screen | grep -c '^mean')" -eq 0 ]
    resize 80 24
    check "two again, $locale" shapes 80
    before=$(elapsed)
    terminal send-keys C-z
    check "stopped, $locale" shows Stopped
    check "no bar is left, $locale" has_bars 0
    check "nothing of its second line, $locale" [ "$(screen | grep -c '^mean')" -eq 0 ]
    sleep 5
    check "nothing is drawn over the shell's line, $locale" has_bars 0
    check "nobody works, $locale" none_works
    enter fg
    check "the bar comes back, $locale" shows ETA
    check "once, $locale" has_bars 1
    check "the clock stood still: from $before to $(elapsed), $locale" \
        [ "$(($(elapsed) - before))" -le 3 ]
    # In the background it leaves the terminal alone.
    terminal send-keys C-z
    check "stopped again, $locale" stopped_twice
    enter bg
    sleep 1
    check "no bar of a job in the background, $locale" has_bars 0
    enter fg
    check "a bar in the foreground, $locale" shows ETA
    terminal send-keys C-c
    check "interrupted, $locale" shows '^treemill: interrupted: hashed'
    check "no bar after the end, $locale" has_bars 0
    enter "echo status \$?"
    check "128 + INT, $locale" shows '^status 130$'
    check "one summary, $locale" [ "$(screen | grep -c '^treemill:')" -eq 1 ]
    close_terminal
}
stopped_twice() {
    for _ in {1..200}; do
        [ "$(screen | grep -c Stopped)" -ge 2 ] && return 0
        sleep 0.1
    done
    return 1
}
ticks() { # time that its processes have used
    local process
    for process in $(pgrep -f -- 'hash -o sums'); do
        sed 's/^.*) //' "/proc/$process/stat" 2>>ps.err
    done | awk '{n += $12 + $13} END {print n + 0}'
}
none_works() { # they would have hours of work
    local before
    before=$(ticks)
    sleep 2
    [ "$before" -gt 10 ] && [ "$(($(ticks) - before))" -le 5 ]
}

watch_hours C
if with_processes; then watch_hours C.UTF-8 "$model_processes"; else watch_hours C.UTF-8; fi

after_command() {
    screen | sed '1,/[.]\/t /d'
}

# A job that ends: between its command and the next prompt there is one line.
check "a terminal for a short job" open_terminal 80 24 C
enter "./t hash --files-from=names -o short"
exec 5<>names
printf 'tree/%s\n' {1..300} >&5
check "the bar of a job whose names are still to come" shows '^mean'
exec 5>&-
check "it ends" shows '^treemill: hashed 300 files'
check "its summary is all that it leaves" [ "$(after_command | grep -vc '^\$ *$')" -eq 1 ]
close_terminal

# Data on the terminal that the bar is on: each line whole, and no bar among them.
check "a terminal for data, too" open_terminal 100 24 C
enter "./t hash --files-from=names"
exec 5<>names
for name in {1..8}; do
    echo "tree/$name" >&5
    shows "^[0-9a-f]{64}  tree/$name\$" || fail "no line of tree/$name"
    sleep 0.3
done
check "the bar is below" shows '^mean'
exec 5>&-
check "it ends, too" shows '^treemill: hashed 8 files'
check "data, summary, prompt" [ "$(after_command |
    grep -Evc '^[0-9a-f]{64}  tree/[1-8]$|^treemill: hashed|^\$ *$')" -eq 0 ]
check "eight lines of data" [ "$(screen | grep -Ec '^[0-9a-f]{64}  tree/[1-8]$')" -eq 8 ]
close_terminal

# What is written, byte by byte.
record() { # SECONDS COMMAND: in a terminal of its own, in its foreground; into the file raw
    status=0
    script -qefc "exec timeout --foreground -s TERM $1 $2" /dev/null </dev/null >raw 2>err || status=$?
}
record_until() { # PATTERN COMMAND [LINES]: as record, until so many lines (1) have it, for a long time
    local recorder
    : >raw
    script -qefc "exec timeout --foreground -s TERM 60 $2" /dev/null </dev/null >raw 2>err &
    recorder=$!
    for _ in {1..1200}; do
        [ "$(grep -cE "$1" raw)" -ge "${3:-1}" ] && break
        kill -0 "$recorder" 2>>kill.err || break
        sleep 0.05
    done
    pkill -TERM -f "^[.]/t ${2#*./t }\$"
    status=0
    wait "$recorder" || status=$?
}
escapes() {
    grep -c $'\033' raw
}
a_line='^hash: .*files, .*/s, mean .*, ETA .*, elapsed .*; .*hole'
record_until "$a_line" "env TERM=dumb ./t hash -o dumb --progress-interval=200ms hours" 2
check "lines on a terminal that cannot draw: $(grep -c '^hash: ' raw)" \
    [ "$(grep -Ec "$a_line" raw)" -ge 2 ]
check "and no control characters" [ "$(escapes)" -eq 0 ]
record 1 "env TERM=dumb ./t hash -o dumb hours"
check "now and then only" [ "$(grep -c '^hash: ' raw)" -eq 0 ]
record 1 "env TERM=xterm ./t hash -q -o quiet hours"
check "none with --quiet" [ ! -s raw ]
record 1 "env TERM=xterm ./t hash --progress=never -o never hours"
check "none with --progress=never" [ "$(escapes)" -eq 0 ]
record 2 "env TERM=xterm ./t hash --json hours"
check "none among events" [ "$(escapes)" -eq 0 ]

# What cannot be shown is not sent. The end of the list is to come, so its total is a bound.
record_until '2/>=2' "env LC_ALL=C TERM=xterm ./t hash --files-from=names -o ascii" &
exec 5<>names
printf 'tree/%s\n' 1 2 >&5
wait $!
check "a bound in ASCII" grep -q '2/>=2' raw
check "nothing but ASCII" [ "$(LC_ALL=C grep -c $'[\x80-\xff]' raw)" -eq 0 ]
record_until '2/≥2' "env LC_ALL=C.UTF-8 TERM=xterm ./t hash --files-from=names -o utf8" &
printf 'tree/%s\n' 1 2 >&5
wait $!
check "a bound in UTF-8" grep -q '2/≥2' raw
exec 5>&-

# Colours: of errors only, and as asked for; of the bar, and of the summary of a job that ends.
red=$'\033\\[31m1 error'
is_red() {
    grep -q "$red" raw
}
for case in "1:TERM=xterm" "0:NO_COLOR=1 TERM=xterm"; do
    record_until '1 error.*ETA|ETA.*1 error' "env ${case#*:} ./t hash -f -o color nowhere hours"
    check "a bar red or not, $case" [ "$(is_red && echo 1 || echo 0)" = "${case%%:*}" ]
    record_until '1 error.*ETA|ETA.*1 error' "env ${case#*:} ./t hash -f -o color --color=never nowhere hours"
    check "a bar never red, $case" [ "$(is_red && echo 1 || echo 0)" = 0 ]
    record_until "ETA.*$red|$red.*ETA" "env ${case#*:} ./t hash -f -o color --color=always nowhere hours"
    check "a bar always red, $case" is_red
done
for case in "1:TERM=xterm" "0:NO_COLOR=1 TERM=xterm" "0:TERM=dumb"; do
    record 60 "env ${case#*:} ./t hash -f -o color nowhere tree"
    check "red or not, $case" [ "$(is_red && echo 1 || echo 0)" = "${case%%:*}" ]
    record 60 "env ${case#*:} ./t hash -f -o color --color=never nowhere tree"
    check "never red, $case" [ "$(is_red && echo 1 || echo 0)" = 0 ]
    record 60 "env ${case#*:} ./t hash -f -o color --color=always nowhere tree"
    check "always red, $case" is_red
done

# No terminal: nothing but the summary; lines, if they are asked for.
run "$TREEMILL" hash -o plain tree
check "the summary alone" ends 0 'hashed 300 files, 45.2 kB in .*'
run timeout --foreground -s TERM 2 "$TREEMILL" hash --progress=always --progress-interval=200ms -o lines hours
check "lines: $(grep -c '^hash: ' err)" [ "$(grep -c '^hash: ' err)" -ge 3 ]
check "plain ones" [ "$(grep -c $'\033' err)$(grep -c $'\r' err)" = 00 ]

finish
