#!/usr/bin/env bash
# Every script of the project passes shellcheck and is no longer than a file should be.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has shellcheck || skip "shellcheck is missing"
cd "$SOURCE" || exit 1
for script in .ci/run scripts/*.sh bench/*.sh tests/*/*.sh; do
    run shellcheck "$script"
    check "shellcheck of $script" [ "$status" -eq 0 ]
    check "$script has $(wc -l <"$script") lines" [ "$(wc -l <"$script")" -le 500 ]
done
finish
