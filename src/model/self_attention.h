#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "kernels/attention.h"
#include "model/forward_context.h"
#include "model/norm.h"
#include "model/transformer_config.h"
#include "parallel/layers.h"

namespace primus::model {

/// Causal self-attention with grouped queries (Ainslie et al., 2023): one projection gives, per group, its
/// queries, one key and one value.
class SelfAttention {
 public:
  /// `layer`: global number; `cache_slot`: number within the chunk; `name`: prefix of the parameters.
  SelfAttention(const TransformerConfig& config, std::int64_t layer, std::size_t cache_slot,
                const std::string& name, const parallel::Mesh& mesh, parallel::ParameterSet& parameters);

  /// x [s, b, h], normed; returns [s, b, h] to which the bias is yet to be added.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;
  std::optional<kernels::Weight> bias() const { return linear_proj_.bias(); }

 private:
  at::Tensor attend_apart(const at::Tensor& qkv, const ForwardContext& context) const;
  kernels::AttentionDropout dropout(const ForwardContext& context) const;

  std::int64_t layer_;
  std::size_t cache_slot_;
  std::int64_t slots_;
  std::int64_t head_size_;
  /// All heads, and the first of those here: they number the random numbers of dropout.
  std::int64_t heads_;
  std::int64_t first_head_;
  double dropout_;
  kernels::AttentionConfig attention_;
  kernels::KernelOptions kernels_;
  parallel::ColumnParallelLinear linear_qkv_;
  std::optional<Norm> q_layernorm_;
  std::optional<Norm> k_layernorm_;
  parallel::RowParallelLinear linear_proj_;
};

}  // namespace primus::model
