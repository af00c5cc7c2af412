#!/usr/bin/env bash
# Configures (once) and builds a preset: tools/build.sh [PRESET] [cmake --build options]. Default preset: release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
shift || true
if [ ! -e "build/$preset/build.ninja" ]; then
  cmake --preset "$preset" >&2
fi
cmake --build --preset "$preset" "$@" >&2
