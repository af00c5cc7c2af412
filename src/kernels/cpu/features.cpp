#include "kernels/cpu/features.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <fstream>
#include <limits>

#include "kernels/cpu/tile_gemm.h"

namespace primus::kernels::cpu {

namespace {

bool runs(Isa isa) {
#if defined(__x86_64__)
  // The compiler's own run-time check, which also asks whether the system saves the wide registers.
  switch (isa) {
    case Isa::avx512_fp32:
    case Isa::avx512_bf16:
      return runs(Isa::avx2) && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq");
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::baseline: return true;
  }
#endif
  return isa == Isa::baseline;
}

std::string model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(std::min(line.find(": ") + 2, line.size()));
    }
  }
  return "CPU";
}

/// Seconds of one product of tiles that stay in the first-level cache, the least of several.
template <class T>
double tile_seconds() {
  constexpr std::int64_t rows = 64, columns = 64, length = 128;
  std::vector<T> a(rows * length, T(1.0F)), b(length * columns, T(1.0F));
  std::vector<float> c(rows * columns);
  double least = std::numeric_limits<double>::infinity();
  // The first ones make the micro-kernel and wake the units.
  for (int round = 0; round < 40; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 8; ++i)
      tile_gemm(rows, columns, length, a.data(), length, b.data(), columns, c.data(), columns, true);
    least =
        std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 8);
  }
  return least;
}

/// By so much that no two starts of a program differ in it, and that widening the operands is worth it.
bool fp32_units_are_faster() {
  constexpr double margin = 1.3;
  return tile_seconds<float>() * margin < tile_seconds<c10::BFloat16>();
}

}  // namespace

std::vector<Isa> supported_isas() {
  std::vector<Isa> supported;
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512_fp32, Isa::avx512_bf16}) {
    if (runs(isa)) {
      supported.push_back(isa);
    }
  }
  return supported;
}

Isa best_isa() {
  static const Isa best = [] {
    const Isa last = supported_isas().back();
    return last == Isa::avx512_bf16 && fp32_units_are_faster() ? Isa::avx512_fp32 : last;
  }();
  return best;
}

bool multiplies_in_bf16(Isa isa) { return isa == Isa::avx512_bf16; }

std::string isa_name(Isa isa) {
  switch (isa) {
    case Isa::baseline: return "baseline";
    case Isa::avx2: return "AVX2";
    case Isa::avx512_fp32:
    case Isa::avx512_bf16: return "AVX-512 with BF16";
  }
  return {};
}

std::string describe_cpu() {
  const Isa isa = best_isa();
  const char* products = multiplies_in_bf16(isa)   ? "bf16 on bf16 units"
                         : isa == Isa::avx512_fp32 ? "fp32, which this processor multiplies faster than bf16"
                                                   : "fp32";
  return fmt::format("{}: {} kernels, matrix products in {}, {} threads", model_name(), isa_name(isa),
                     products, at::get_num_threads());
}

}  // namespace primus::kernels::cpu
