#!/usr/bin/env bash
# Builds treemill and does its main job on a real tree: hashes it, with the progress bar, and
# verifies it. Usage: scripts/demo.sh [TREE]   (default: /usr)
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$(realpath "${1:-/usr}")
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
install_for_building
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release --target treemill

treemill=build/release/treemill
manifest=$(mktemp --suffix=.sha256)
trap 'rm -f "$manifest" "$manifest.results"' EXIT

# Both end with 3 when some files could not be read, having said which.
printf '\n$ treemill hash %s > MANIFEST\n' "$tree"
"$treemill" hash "$tree" >"$manifest" || [ $? -eq 3 ]
printf '\n%s lines, beginning with\n' "$(wc -l <"$manifest")"
head -n 3 "$manifest"
printf '\n$ treemill verify MANIFEST > RESULTS\n'
"$treemill" verify "$manifest" >"$manifest.results" || [ $? -eq 3 ]
printf '\n%s files are as they were, for example\n' "$(grep -c ': OK$' "$manifest.results")"
head -n 3 "$manifest.results"
