#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/attention.h"
#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Whether the fused attention computes this call: on the CPU, without dropout, a positive scale, the
/// documents (if any) of each sample in ascending order.
bool covers_attention(const AttentionInputs& inputs, const AttentionConfig& config,
                      const AttentionDropout& dropout);

/// Flash attention (Dao, "FlashAttention-2", 2023): kernels::attention_forward without ever holding the
/// scores. `sinks` [g·r] or undefined: logits that count in the softmax's denominator, though not in
/// log_sum_exp.
AttentionOutput flash_attention_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                                        const at::Tensor& sinks = {}, Isa isa = best_isa());

/// kernels::attention_backward, into `gradients`, which have the shapes and dtypes of the inputs and any
/// strides with the last one 1. Returns Σ context · context_gradient, fp32 [b, g, r, s].
at::Tensor flash_attention_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                                    const AttentionOutput& output, const AttentionConfig& config,
                                    AttentionGradients& gradients, Isa isa = best_isa());

}  // namespace primus::kernels::cpu
