# To be sourced: workers and whole programs that are killed at random moments. Whoever does sets
# RANDOM, so that the moments are the same each time, and `killable`, an expression: the stages whose
# workers may be killed.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # status, killable: those of the script

killed=0 # workers

kill_one() { # PROCESS-GROUP
    local victims
    mapfile -t victims < <(ps -e -o pgid=,pid=,comm= | awk -v group="$1" \
        -v pattern="^($killable)-[0-9]+\$" '$1 == group && $3 ~ pattern {print $2}')
    [ "${#victims[@]}" -gt 0 ] || return 0
    kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && killed=$((killed + 1))
}

harass() { # COMMAND...: one of its workers is killed at some moment; sets status. Only one: the same
    # item may lose two, and then it fails, as it should.
    local pid
    "$@" >out 2>err &
    pid=$!
    sleep "0.0$((RANDOM % 9 + 2))"
    kill_one $pid
    status=0
    wait $pid 2>/dev/null || status=$?
}

members() { # PROCESS-GROUP
    ps -e -o pgid=,stat= | awk -v group="$1" '$1 == group && $2 !~ /^Z/ {n++} END {print n + 0}'
}

gone() { # PROCESS-GROUP: its last process ends soon
    local tries=200
    while [ "$(members "$1")" -gt 0 ] && [ "$tries" -gt 0 ]; do
        sleep 0.05
        tries=$((tries - 1))
    done
    [ "$tries" -gt 0 ]
}

shoot() { # MILLISECONDS COMMAND...: killed within those; sets pid
    local most=$1
    shift
    "$@" >out 2>err &
    pid=$!
    sleep "0.$(printf %03d $((RANDOM % most + 10)))"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    check "no process is left of ${*:2}" gone $pid
}
