#!/usr/bin/env bash
# Builds treemill as its developers do (all warnings are errors) and runs all tests.
# Usage: scripts/test.sh [CTEST-OPTION...]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh
# shellcheck disable=SC2086  # lists of words
install_missing $BUILD_PACKAGES $TEST_PACKAGES
cmake --preset dev >/dev/null
cmake --build --preset dev
ctest --preset dev "$@"
