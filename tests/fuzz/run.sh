#!/usr/bin/env bash
# Runs one fuzz target on its seeds, which seeds.sh has made, for some seconds. What it finds stays
# in FINDINGS; the inputs that reached new code are kept beside the seeds only while it runs, so that
# every run begins with the same ones.
# Usage: run.sh BUILD_DIR TARGET SECONDS FINDINGS [LIBFUZZER-OPTION...]
set -euo pipefail
build=$1 target=$2 seconds=$3 findings=$4
shift 4
mkdir -p "$findings"
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
# A quarantine as large as the default would be most of the limit of memory.
export ASAN_OPTIONS=quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}
"$build/$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=512 \
    -print_final_stats=1 -artifact_prefix="$findings/$target-" "$@" "$corpus" "$build/seeds/$target"
