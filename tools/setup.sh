#!/usr/bin/env bash
# Installs what the build needs and is missing: Debian packages through apt, libtorch and the formatter into .venv.
# Quick when nothing is missing. TORCH_DIR set to a folder with libtorch's include/ and lib/ replaces the wheel.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=2.13.0
clang_format_version=23.1.3

say() { printf '[setup] %s\n' "$*" >&2; }

missing_packages() {
  local wanted installed
  wanted=$(grep -v '^#' tools/packages.txt | sort)
  # shellcheck disable=SC2086  # one word per package is meant
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "ii" {print $2}' | sort)
  comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed")
}

install_packages() {
  local missing run_as_root=()
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      run_as_root=(sudo)
    else
      say "these Debian packages are missing; install them and run again:"
      printf 'sudo apt-get install -y %s\n' "$missing" >&2
      exit 2
    fi
  fi
  say "installing Debian packages: $missing"
  "${run_as_root[@]}" apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive "${run_as_root[@]}" apt-get install -y -qq --no-install-recommends $missing >&2
}

wheel_is_installed() {  # NAME VERSION
  compgen -G ".venv/lib/python3*/site-packages/$1-$2*.dist-info" >/dev/null
}

pip_install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" >&2; }

make_venv() {
  [ -x .venv/bin/python ] && return 0
  say "creating .venv"
  # The system's python3: one from a version manager may vanish under the environment.
  local python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv .venv
}

install_torch() {
  if [ -n "${TORCH_DIR:-}" ]; then
    [ -e "$TORCH_DIR/include/ATen/core/Tensor.h" ] && return 0
    say "TORCH_DIR=$TORCH_DIR has no include/ATen/core/Tensor.h"
    exit 2
  fi
  wheel_is_installed torch "$torch_version" && return 0
  make_venv
  say "installing torch $torch_version (libtorch) into .venv"
  # libtorch needs none of the wheel's Python dependencies; a CUDA build needs the CUDA libraries among them.
  pip_install --no-deps "torch==$torch_version"
  if compgen -G '.venv/lib/python3*/site-packages/torch/lib/libtorch_cuda.so' >/dev/null; then
    pip_install "torch==$torch_version"
  fi
}

install_formatter() {
  wheel_is_installed clang_format "$clang_format_version" && return 0
  make_venv
  pip_install "clang-format==$clang_format_version"
}

install_packages
install_torch
install_formatter
