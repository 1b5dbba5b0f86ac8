#!/usr/bin/env bash
# To be sourced: runs ctest, as many tests at once as there are CPUs, and says what it does not: why a test was skipped, and what a test could
# not show on this machine. ctest's summary comes last.
set -euo pipefail

run_ctest() { # PRESET [CTEST-OPTION...]
    local preset=$1 status=0 log
    shift
    log=$(mktemp)
    ctest --preset "$preset" -j "$(nproc)" "$@" 2>&1 | tee "$log" || status=$?
    if grep -aE '^([a-z_]+: )?(skipped|left out): ' "build/$preset/Testing/Temporary/LastTest.log" >"$log.why"; then
        printf '\nIn this run of %s:\n' "$preset"
        sort "$log.why" | uniq -c | sed -E 's/^ +1 //; s/^ +([0-9]+) (.*)/\2 (\1 times)/'
        printf '\n'
        sed -n '/ tests passed, /,$p' "$log"
    fi
    rm -f "$log" "$log.why"
    return "$status"
}
