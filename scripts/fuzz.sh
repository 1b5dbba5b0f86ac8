#!/usr/bin/env bash
# Builds the fuzz targets (tests/fuzz/) and runs each of them for SECONDS, one after the other,
# every time with other random numbers. What makes one fail is kept in build/fuzz/findings:
# `build/fuzz/tests/fuzz/TARGET FILE` shows it again.
# Usage: scripts/fuzz.sh [SECONDS]   (60 each, if it is not given)
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
findings=$PWD/build/fuzz/findings
build=$PWD/build/fuzz/tests/fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
bash tests/fuzz/seeds.sh "$build" "$build/seeds"

failed=()
for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    log=$build/$target.log
    echo "$target: $seconds seconds"
    bash tests/fuzz/run.sh "$build" "$target" "$seconds" "$findings" >"$log" 2>&1 ||
        failed+=("$target")
    grep -aE 'number_of_executed_units|^SUMMARY|not so:|runtime error' "$log" || tail -n 5 "$log"
done
[ ${#failed[@]} -eq 0 ] || {
    echo "failed: ${failed[*]}; the inputs are in $findings"
    exit 1
}
echo "no findings (they would be in $findings)"
