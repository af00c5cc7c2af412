#pragma once

#include <optional>

#include "kernels/attention.h"
#include "model/layer_spec.h"
#include "model/norm.h"
#include "parallel/layers.h"

namespace primus::model {

/// Causal self-attention with grouped queries (Ainslie et al., 2023): one projection gives, per group, its
/// queries, one key and one value.
class SelfAttention : public LayerPart {
 public:
  explicit SelfAttention(const PartContext& context);

  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const override;
  std::optional<kernels::Weight> bias() const override { return linear_proj_.bias(); }

 private:
  at::Tensor attend_apart(const at::Tensor& qkv, const ForwardContext& context) const;
  bool rotates(const ForwardContext& context) const { return rotary_ && context.rope.cos.defined(); }
  kernels::AttentionDropout dropout(const ForwardContext& context) const;

  std::int64_t layer_;
  std::size_t cache_slot_;
  std::int64_t slots_;
  std::int64_t head_size_;
  /// All heads, and the first of those here: they number the random numbers of dropout.
  std::int64_t heads_;
  std::int64_t first_head_;
  bool rotary_;
  double dropout_;
  kernels::AttentionConfig attention_;
  kernels::KernelOptions kernels_;
  parallel::ColumnParallelLinear linear_qkv_;
  std::optional<Norm> q_layernorm_;
  std::optional<Norm> k_layernorm_;
  parallel::RowParallelLinear linear_proj_;
};

extern const PartKind self_attention;

}  // namespace primus::model
