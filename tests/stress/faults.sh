#!/usr/bin/env bash
# Each fault seeded into the queue must be found by the stress, or the stress is worth nothing.
# Usage: faults.sh DIRECTORY-OF-PROGRAMS
set -u
found=0 missed=0
for program in "$1"/queue_stress_fault_*; do
    if WATCHDOG_SECONDS=3 timeout 100 "$program" 3000000 1 200 >/dev/null 2>&1; then
        echo "not found: ${program##*/}"
        missed=$((missed + 1))
    else
        found=$((found + 1))
    fi
done
echo "$found passed, $missed failed"
[ "$missed" -eq 0 ] && [ "$found" -ge 10 ]
