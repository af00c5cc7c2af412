#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// The dtype in which matrix products of bf16 or fp32 operands run.
inline at::ScalarType product_dtype(at::ScalarType operands, Isa isa) {
  return operands == at::kBFloat16 && multiplies_in_bf16(isa) ? at::kBFloat16 : at::kFloat;
}

/// Calls function.operator()<T, isa>() with the type of `dtype`, a result of product_dtype.
template <class Function>
auto with_product_type(at::ScalarType dtype, Isa isa, const Function& function) {
  if (dtype == at::kBFloat16) {
    return function.template operator()<c10::BFloat16, Isa::avx512_bf16>();
  }
  return with_isa(isa, [&](auto level) { return function.template operator()<float, level()>(); });
}

/// Calls function.operator()<T, P, isa>() with the type of `operands`, bf16 or fp32, and that of their
/// products.
template <class Function>
auto with_operand_types(at::ScalarType operands, Isa isa, const Function& function) {
  if (product_dtype(operands, isa) == at::kBFloat16) {
    return function.template operator()<c10::BFloat16, c10::BFloat16, Isa::avx512_bf16>();
  }
  return with_isa(isa, [&](auto level) {
    if (operands == at::kBFloat16) {
      return function.template operator()<c10::BFloat16, float, level()>();
    }
    return function.template operator()<float, float, level()>();
  });
}

/// What passes over memory read and write: every instruction set does both, in fp32 registers.
inline bool is_pass_dtype(at::ScalarType dtype) { return dtype == at::kFloat || dtype == at::kBFloat16; }

/// Calls function.operator()<T, isa>() with the type of `dtype`, for which is_pass_dtype holds.
template <class Function>
auto with_pass_types(at::ScalarType dtype, Isa isa, const Function& function) {
  return with_isa(isa, [&](auto level) {
    if (dtype == at::kBFloat16) {
      return function.template operator()<c10::BFloat16, level()>();
    }
    return function.template operator()<float, level()>();
  });
}

}  // namespace primus::kernels::cpu
