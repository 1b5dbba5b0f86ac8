#!/usr/bin/env bash
# Archives that mean harm, made by tests/hostile/make.py, which says what is to become of each:
# whatever the models of the stages are, and whether there is a sandbox or not, nothing changes
# outside the target, and what is in it is the same.
#
# Each goes through two of the combinations, in turn; those that are called tricky in make.py go
# through all, and with HOSTILE=all in the environment each does (minutes instead of seconds). By hand, for some
# cases alone: HOSTILE_CASES='name name'.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
has python3 || skip "python3 is missing: it makes the archives"

WRITE_MODELS="inline threads:3" SCAN_MODELS="inline threads:1"
if with_processes; then
    WRITE_MODELS+=" processes:2"
    SCAN_MODELS+=" processes:1"
fi
for model in uring epoll; do
    ! has_model $model || WRITE_MODELS+=" $model:8"
done
export WRITE_MODELS SCAN_MODELS PYTHONDONTWRITEBYTECODE=1

mkdir corpus
# shellcheck disable=SC2086  # names are words
python3 "$SOURCE/tests/hostile/run.py" "$work/corpus" ${HOSTILE_CASES:-}
check "the hostile archives" [ $? -eq 0 ]
finish
