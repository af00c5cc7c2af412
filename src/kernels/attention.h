#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "kernels/dropout.h"
#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

struct AttentionConfig {
  /// Scores are multiplied by this; 0: 1/√d.
  double scale = 0.0;
  /// Query i sees keys up to its own position; otherwise all keys.
  bool causal = true;
  /// Sliding window: a query at position p sees keys from p - window_left on, and, unless causal, up to
  /// p + window_right. Negative: no bound.
  std::int64_t window_left = -1;
  std::int64_t window_right = -1;
  /// > 0: scores become softcap·tanh(scores / softcap) before the mask.
  double softcap = 0.0;
  /// The position of the first query, counted from the first key (cached keys; a later part of a sequence).
  std::int64_t query_offset = 0;
};

struct AttentionInputs {
  /// query [s, b, g, r, d], key [t, b, g, d], value [t, b, g, dv]; any strides with the last one 1.
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
  /// int32 [s, b] and [t, b]: which document of its sample a token belongs to; a query sees keys of its own
  /// document only (reset_attention_mask). Undefined: one document.
  at::Tensor query_documents = {};
  at::Tensor key_documents = {};
};

/// Dropout of attention probabilities: element (query i of sample j, head, key) has index
/// (token_index[i, j] · columns + first_column + head) · keys + first_key + key; columns count heads.
struct AttentionDropout {
  double p = 0.0;
  DropoutKey key = {};
  std::int64_t first_key = 0;
  /// Keys of the whole sequence; 0: those given.
  std::int64_t keys = 0;
};

/// Scaled dot-product attention with grouped queries, softmax in fp32. Returns [s, b, g·r·dv] in query's
/// dtype. `sinks` [g·r] adds one learned logit per head to the softmax's denominator. A query that sees no
/// key gives zeros.
at::Tensor attention(const AttentionInputs& inputs, const AttentionConfig& config,
                     const std::optional<Weight>& sinks = {}, const AttentionDropout& dropout = {},
                     const KernelOptions& options = {});

/// Causal self-attention on the output of the fused query-key-value projection, without unpacking it: qkv
/// [s, b, g, r + 2, d] (slots as in apply_rope_packed), documents int32 [s, b] or undefined; returns
/// [s, b, g·r·d]. The gradient comes back packed.
at::Tensor attention_packed(const at::Tensor& qkv, const AttentionConfig& config,
                            const at::Tensor& documents = {}, const std::optional<Weight>& sinks = {},
                            const AttentionDropout& dropout = {}, const KernelOptions& options = {});

/// The parts, for autograd functions that put communication between them (ring attention). No autograd.

struct AttentionOutput {
  /// [s, b, g, r, dv], query's dtype.
  at::Tensor context;
  /// fp32 [b, g, r, s]: log Σexp of the scores seen (without sinks); -inf where there was none.
  at::Tensor log_sum_exp;
};
AttentionOutput attention_forward(const AttentionInputs& inputs, const AttentionConfig& config,
                                  const AttentionDropout& dropout = {}, const KernelOptions& options = {});

struct AttentionGradients {
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
};
/// `output` holds context and log_sum_exp over *all* keys (and the sinks), of which `inputs` may hold a part.
/// Gradients have the dtype and shape of the inputs.
AttentionGradients attention_backward(const at::Tensor& context_gradient, const AttentionInputs& inputs,
                                      const AttentionOutput& output, const AttentionConfig& config,
                                      const AttentionDropout& dropout = {},
                                      const KernelOptions& options = {});

}  // namespace primus::kernels
