#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/activation.h"
#include "kernels/cpu/features.h"
#include "kernels/weight.h"

namespace primus::kernels::cpu {

bool covers_activation(const at::Tensor& x, const std::optional<Weight>& bias);

/// kernels::activation in one pass, and its backward in another, from x alone.
at::Tensor fused_activation(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                            Isa isa = best_isa());

/// kernels::activation_linear: its backward computes the activation anew in the pass that differentiates it,
/// so that only x is kept (ffn_hidden_size elements a token less).
at::Tensor fused_activation_linear(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                                   const Weight& weight, const KernelOptions& options, Isa isa = best_isa());

}  // namespace primus::kernels::cpu
