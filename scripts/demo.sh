#!/usr/bin/env bash
# Builds treemill and does its main job on a real tree: hashes it, with the progress bar, and
# verifies it. With --archive it also packs the tree and compares what tar unpacks again.
# Usage: scripts/demo.sh [--archive] [TREE]   (default: /usr, with --archive /usr/include)
set -euo pipefail
cd "$(dirname "$0")/.."
tree=/usr archive=
if [ "${1:-}" = --archive ]; then
    tree=/usr/include archive=yes
    shift
fi
tree=$(realpath "${1:-$tree}")
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
install_for_building
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release --target treemill

treemill=build/release/treemill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each ends with 3 when some files could not be read, having said which.
printf '\n$ treemill hash %s > MANIFEST\n' "$tree"
"$treemill" hash "$tree" >"$work/manifest" || [ $? -eq 3 ]
printf '\n%s lines, beginning with\n' "$(wc -l <"$work/manifest")"
head -n 3 "$work/manifest"
printf '\n$ treemill verify MANIFEST > RESULTS\n'
"$treemill" verify "$work/manifest" >"$work/results" || [ $? -eq 3 ]
printf '\n%s files are as they were, for example\n' "$(grep -c ': OK$' "$work/results")"
head -n 3 "$work/results"

[ "$archive" ] || exit 0
printf '\n$ treemill create --manifest=MEMBERS ARCHIVE.tar.gz %s\n' "$tree"
"$treemill" create --manifest="$work/members" "$work/a.tar.gz" "$tree" || [ $? -eq 3 ]
printf '\n$ tar -xzf ARCHIVE.tar.gz -C DIR && treemill verify --quiet -C DIR MEMBERS\n'
mkdir "$work/unpacked"
tar -xzf "$work/a.tar.gz" -C "$work/unpacked"
"$treemill" verify --quiet -C "$work/unpacked" "$work/members"
printf '%s files came out of the archive as they are\n' "$(wc -l <"$work/members")"
