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
trap 'rm -f "$manifest"' EXIT

run() { # prints the command, runs it; 3 means that some files could not be read, and it said which
    local status=0
    printf '\n$ %s\n' "$*"
    "$@" || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
}

run "$treemill" hash "$tree" --force -o "$manifest"
printf '\n%s lines, beginning with\n' "$(wc -l <"$manifest")"
head -n 3 "$manifest"
run "$treemill" verify --quiet "$manifest"
