#!/usr/bin/env bash
# Computes with the field's references what the fixtures of tests/parity hold, and compares; then lets Hugging Face
# Transformers read what we export. PYTHON names an interpreter with torch; the rest is installed beside it if missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-.venv/bin/python}
if ! "$python" -c 'import transformers, safetensors' 2>/dev/null; then
  torch=$("$python" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])')
  "$python" -m pip install --quiet --disable-pip-version-check "torch==$torch" transformers==5.23.0 safetensors >&2
fi
export PRIMUS_CLI=${PRIMUS_CLI:-build/${1:-release}/primus-cli}
"$python" tests/parity/huggingface_oracle.py --check
"$python" tests/parity/huggingface_variants.py
