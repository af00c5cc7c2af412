#include "kernels/cpu/features.h"

#include <ATen/Parallel.h>

#include <fstream>

namespace primus::kernels::cpu {

namespace {

bool runs(Isa isa) {
#if defined(__x86_64__)
  // The compiler's own run-time check, which also asks whether the system saves the wide registers.
  switch (isa) {
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

}  // namespace

std::vector<Isa> supported_isas() {
  std::vector<Isa> supported;
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512_bf16}) {
    if (runs(isa)) {
      supported.push_back(isa);
    }
  }
  return supported;
}

Isa best_isa() {
  static const Isa best = supported_isas().back();
  return best;
}

bool has_bf16_units(Isa isa) { return isa == Isa::avx512_bf16; }

std::string isa_name(Isa isa) {
  switch (isa) {
    case Isa::baseline: return "baseline";
    case Isa::avx2: return "AVX2";
    case Isa::avx512_bf16: return "AVX-512 with BF16";
  }
  return {};
}

std::string describe_cpu() {
  const Isa isa = best_isa();
  return fmt::format("{}: {} kernels, matrix products in {}, {} threads", model_name(), isa_name(isa),
                     has_bf16_units(isa) ? "bf16 on bf16 units" : "fp32", at::get_num_threads());
}

}  // namespace primus::kernels::cpu
