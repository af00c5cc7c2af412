#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace primus::kernels::cpu {

/// The instruction sets that kernels/cpu/isa is compiled for, each including those before it. AVX-512 without
/// bf16 units has no copy of its own: its time goes into fp32 products, whose micro-kernel is made for the
/// machine. avx512_fp32 is the code of avx512_bf16 with bf16 matrix products on the fp32 units.
enum class Isa { baseline, avx2, avx512_fp32, avx512_bf16 };

/// The best one that this machine runs. Of the two AVX-512 ones: that whose matrix products were faster when
/// this was first called (some milliseconds). Intel's cores multiply fp32 numbers twice as fast as bf16 ones
/// where a virtual machine hides their AMX; AMD's are the other way round.
Isa best_isa();

/// All that this machine runs.
std::vector<Isa> supported_isas();

/// Whether bf16 matrix products run on bf16 units. Elsewhere their operands are widened to fp32, of which the
/// products are the same numbers, for they are exact in either; sums are fp32 in both.
bool multiplies_in_bf16(Isa isa);

std::string isa_name(Isa isa);

/// One line for the log: model, instruction set picked, dtype of matrix products, threads.
std::string describe_cpu();

/// Calls `function` with the instruction set of the copy that serves `isa` as a compile-time constant.
template <class Function>
decltype(auto) with_isa(Isa isa, Function&& function) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::avx512_fp32:
    case Isa::avx512_bf16: return function(std::integral_constant<Isa, Isa::avx512_bf16>{});
    case Isa::avx2: return function(std::integral_constant<Isa, Isa::avx2>{});
    case Isa::baseline: break;
  }
#endif
  static_cast<void>(isa);
  return function(std::integral_constant<Isa, Isa::baseline>{});
}

}  // namespace primus::kernels::cpu
