#!/usr/bin/env bash
# Builds the fuzzer with clang and runs targets on it, each for so many seconds (default 60), all of them by default:
#   fuzz/run.sh [seconds] [target ...]
# Stops with an error at the first crash, leak, hang or large allocation; the input is then in build/fuzz/found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls fuzz/corpus)
for target in "${targets[@]}"; do
  [ -d "fuzz/corpus/$target" ] || { echo "fuzz/run.sh: no target '$target'; there are: $(ls fuzz/corpus | xargs)" >&2; exit 2; }
done
command -v clang++-16 >/dev/null || { echo "fuzz/run.sh: clang++-16 is needed (Debian: clang-16 libclang-rt-16-dev)" >&2; exit 2; }

tools/build.sh fuzz --target primus-fuzz

# Words to make inputs of: those that the sources know, and what YAML and the layer patterns give meaning to.
{ grep -rhoP '"\w+"' src/config/arguments src/tokenizer src/launch src/checkpoint | sort -u
  printf '"%s"\n' ': ' '=' '--' '${' '<<: *' '&a ' '- ' '[' ']*' '([0]*3+[1]*58)' 'null' 'true' '1e-5' '0x10' '|' 't*4|'
} > build/fuzz/words.dict

# Files of the inputs lie in memory. A number in an input must not decide how much is allocated.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p build/fuzz/found
for target in "${targets[@]}"; do
  echo "== $target"
  mkdir -p "build/fuzz/corpus_$target"
  PRIMUS_FUZZ_TARGET=$target build/fuzz/fuzz/primus-fuzz -max_total_time="$seconds" -timeout=30 -max_len=16384 \
    -malloc_limit_mb=256 -dict=build/fuzz/words.dict -artifact_prefix="build/fuzz/found/$target-" \
    "build/fuzz/corpus_$target" "fuzz/corpus/$target"
done
