#!/usr/bin/env bash
# Builds treemill as its developers do (all warnings are errors) and runs all tests.
# Usage: scripts/test.sh [CTEST-OPTION...]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
# shellcheck source=scripts/ctest.sh
. scripts/ctest.sh
install_for_testing
cmake --preset dev >/dev/null
cmake --build --preset dev
run_ctest dev "$@"
