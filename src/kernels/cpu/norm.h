#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/cpu/features.h"
#include "kernels/weight.h"

namespace primus::kernels::cpu {

struct NormOptions {
  double epsilon = 1e-5;
  bool zero_centered = false;
  Isa isa = best_isa();
};

bool covers_norm(const at::Tensor& x, const at::Tensor& weight);

/// kernels::rms_norm, or kernels::layer_norm when there is a bias: one pass forward, one backward, with
/// autograd.
at::Tensor fused_norm(const at::Tensor& x, const Weight& weight, const std::optional<Weight>& bias,
                      const NormOptions& options);

}  // namespace primus::kernels::cpu
