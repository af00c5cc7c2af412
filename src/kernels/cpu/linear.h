#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Whether the fused products compute a·b with sums of length `length`: on the CPU, in bf16 or fp32, a of
/// enough rows for the packing of b to pay.
bool covers_product(const at::Tensor& a, const at::Tensor& b, std::int64_t length);

/// x·Wᵀ (+ bias): x [m, in], weight [out, in], bias [out]; returns [m, out]. No autograd, as all here.
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                         Isa isa = best_isa());

/// dy·W: dy [m, out], weight [out, in]; returns [m, in].
at::Tensor packed_input_gradient(const at::Tensor& dy, const at::Tensor& weight, Isa isa = best_isa());

/// main_grad [out, in] += dyᵀ·x, summed in fp32 without a temporary of the weight's size; main_grad is fp32
/// with rows of any stride. dy [m, out], x [m, in].
void add_weight_gradient(const at::Tensor& main_grad, const at::Tensor& dy, const at::Tensor& x,
                         Isa isa = best_isa());

}  // namespace primus::kernels::cpu
