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
flags=(-std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DFMT_HEADER_ONLY
       -DPRIMUS_SOURCE_DIR="\"$PWD\"" -Isrc -I.)
for target in config_yaml config_tokens; do
  "$compiler" "${flags[@]}" fuzz/${target}_fuzzer.cpp src/config/*.cpp src/core/{error,file}.cpp -lyaml-cpp \
    -o build/fuzz/$target
  mkdir -p build/fuzz/corpus_$target
  build/fuzz/$target -max_total_time="$seconds" -timeout=10 -max_len=4096 -artifact_prefix=build/fuzz/ \
    build/fuzz/corpus_$target fuzz/corpus/$target
done
