#!/usr/bin/env bash
# Builds the fuzzers of the configuration with clang and runs each for SECONDS_EACH (default 60) seconds:
#   fuzz/run.sh [seconds]
# Stops with an error at the first crash, leak or hang; the input is then in build/fuzz.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
compiler=${CXX:-$(command -v clang++ || command -v clang++-14 || true)}
[ -n "$compiler" ] || { echo "fuzz/run.sh: clang++ is needed (Debian: clang-14 libclang-rt-14-dev)" >&2; exit 2; }

mkdir -p build/fuzz
flags=(-std=c++20 -O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DFMT_HEADER_ONLY
       -DPRIMUS_SOURCE_DIR="\"$PWD\"" -Isrc -I.)

# What both share is compiled once, and again only when a source is newer.
objects=()
for source in src/config/*.cpp src/core/{error,file,utf8}.cpp; do
  object=build/fuzz/$(basename "$source").o
  objects+=("$object")
  if [ -z "$(find src/config src/core tests/config/fuzz_input.h -newer "$object" -name "*.h" -print -quit 2>&1)" ] &&
     [ "$object" -nt "$source" ]; then continue; fi
  "$compiler" "${flags[@]}" -c "$source" -o "$object"
done

# Words to make inputs of: the arguments' names, and what YAML and the layer patterns give meaning to.
{ grep -hoP '^    \{\K"\w+"' src/config/arguments/*.h
  printf '"%s"\n' ': ' '=' '--' '${' '<<: *' '&a ' '- ' '[' ']*' '([0]*3+[1]*58)' 'null' 'true' '1e-5' '0x10' '|' 't*4|'
} > build/fuzz/config.dict

for target in config_yaml config_tokens; do
  "$compiler" "${flags[@]}" -fsanitize=fuzzer fuzz/${target}_fuzzer.cpp "${objects[@]}" -lyaml-cpp \
    -o build/fuzz/$target
  mkdir -p build/fuzz/corpus_$target
  build/fuzz/$target -max_total_time="$seconds" -timeout=10 -max_len=4096 -artifact_prefix=build/fuzz/ \
    -dict=build/fuzz/config.dict build/fuzz/corpus_$target fuzz/corpus/$target
done
