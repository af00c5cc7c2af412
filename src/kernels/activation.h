#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

enum class Activation { gelu, gelu_tanh, relu, squared_relu, silu, swiglu, geglu, quick_geglu };

/// Whether the activation halves the width: act(gate) · up of [gate f ; up f].
bool is_gated(Activation kind);

/// The MLP's activation of x + bias. x [..., f], or [..., 2f] with the gate first for the gated kinds;
/// bias of x's last size. Computed in fp32; returns [..., f] in x's dtype.
///   gelu         x·Φ(x)                       gelu_tanh    its tanh approximation (GPT-2, Megatron's fused)
///   relu         max(x, 0)                    squared_relu max(x, 0)²           silu  x·σ(x)
///   swiglu       silu(gate) · up              geglu        gelu(gate) · up (Shazeer, 2020)
///   quick_geglu  gate·σ(1.702·gate) · up (GPT-OSS)
at::Tensor activation(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                      const KernelOptions& options = {});

/// activation(x, bias)·Wᵀ as one operator, so that a fused version need not keep the activation for the
/// backward. weight [out, f]; returns [..., out] in x's dtype.
at::Tensor activation_linear(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                             const Weight& weight, const KernelOptions& options = {});

}  // namespace primus::kernels
