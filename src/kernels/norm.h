#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

/// x · rsqrt(mean(x²) + epsilon) · w over the last dimension, computed in fp32 (Zhang and Sennrich, 2019).
/// x [..., h], weight [h]; returns x's shape and dtype. `zero_centered`: the factor is 1 + w (Megatron's
/// apply_layernorm_1p).
at::Tensor rms_norm(const at::Tensor& x, const Weight& weight, double epsilon, bool zero_centered = false,
                    const KernelOptions& options = {});

/// (x - mean) · rsqrt(variance + epsilon) · w + bias over the last dimension, computed in fp32 (Ba et al.,
/// 2016). x [..., h], weight [h], bias [h]; returns x's shape and dtype.
at::Tensor layer_norm(const at::Tensor& x, const Weight& weight, const Weight& bias, double epsilon,
                      bool zero_centered = false, const KernelOptions& options = {});

}  // namespace primus::kernels
