#!/usr/bin/env bash
# Formats all C++ sources with the pinned clang-format, or with --check only says which are not formatted.
# Exit code 77 (skipped) when the formatter is not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
formatter=.venv/bin/clang-format
if [ ! -x "$formatter" ]; then
  formatter=$(command -v clang-format || true)
  if ! [[ -n "$formatter" && "$("$formatter" --version)" == *"version 23.1.3"* ]]; then
    echo "clang-format 23.1.3 is not installed: run tools/setup.sh" >&2
    exit 77
  fi
fi
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)
git ls-files -z --cached --others --exclude-standard '*.cpp' '*.h' | xargs -0 "$formatter" "${mode[@]}"
