#include "model/self_attention.h"

#include <ATen/Functions.h>

namespace primus::model {

namespace {

std::optional<Norm> head_norm(const TransformerConfig& config, const std::string& name,
                              const parallel::Mesh& mesh, parallel::ParameterSet& parameters) {
  if (!config.qk_layernorm) return {};
  return Norm(config, name, config.kv_channels, /*sees_a_part=*/mesh.tensor().size() > 1, parameters);
}

}  // namespace

SelfAttention::SelfAttention(const TransformerConfig& config, std::int64_t layer, std::size_t cache_slot,
                             const std::string& name, const parallel::Mesh& mesh,
                             parallel::ParameterSet& parameters)
    : layer_(layer),
      cache_slot_(cache_slot),
      slots_(config.heads_per_group() + 2),
      head_size_(config.kv_channels),
      heads_(config.num_attention_heads),
      first_head_(mesh.tensor().rank() * config.num_attention_heads / mesh.tensor().size()),
      dropout_(config.attention_dropout),
      attention_{.window_left = config.attention_window(layer), .softcap = config.attn_logit_softcapping},
      kernels_(config.kernels),
      linear_qkv_({.name = name + ".linear_qkv",
                   .in = config.hidden_size,
                   .out = config.qkv_size(),
                   .bias = config.add_bias_linear || config.add_qkv_bias,
                   .init = {.value = config.init_method_std},
                   .kernels = config.kernels},
                  mesh, parameters),
      q_layernorm_(head_norm(config, name + ".q_layernorm.", mesh, parameters)),
      k_layernorm_(head_norm(config, name + ".k_layernorm.", mesh, parameters)),
      linear_proj_({.name = name + ".linear_proj",
                    .in = config.num_attention_heads * config.kv_channels,
                    .out = config.hidden_size,
                    .bias = config.add_bias_linear,
                    .init = {.value = config.output_init_std()},
                    .kernels = config.kernels},
                   mesh, parameters) {}

at::Tensor SelfAttention::forward(const at::Tensor& x, const ForwardContext& context) const {
  const at::Tensor projected = linear_qkv_.forward(x);
  at::Tensor qkv = projected.view({projected.size(0), projected.size(1), -1, slots_, head_size_});
  at::Tensor attended;
  if (q_layernorm_ || context.cache != nullptr) {
    attended = attend_apart(qkv, context);
  } else {
    if (context.rope.cos.defined()) qkv = kernels::apply_rope_packed(qkv, context.rope, kernels_);
    attended = kernels::attention_packed(qkv, attention_, context.documents, {}, dropout(context), kernels_);
  }
  return linear_proj_.forward_without_bias(attended);
}

/// Queries, key and value apart: for norms of heads, and for cached keys. qkv [s, b, g, r + 2, d].
at::Tensor SelfAttention::attend_apart(const at::Tensor& qkv, const ForwardContext& context) const {
  at::Tensor query = qkv.slice(3, 0, slots_ - 2);
  at::Tensor key = qkv.select(3, slots_ - 2);
  at::Tensor value = qkv.select(3, slots_ - 1);
  if (q_layernorm_) {
    query = q_layernorm_->forward(query);
    key = k_layernorm_->forward(key);
  }
  if (context.rope.cos.defined()) {
    query = kernels::apply_rope(query, context.rope, kernels_);
    key = kernels::apply_rope(key, context.rope, kernels_);
  }
  kernels::AttentionConfig attention = attention_;
  if (context.cache != nullptr) {
    KeyValueCache::Layer& seen = context.cache->layers.at(cache_slot_);
    attention.query_offset = seen.key.defined() ? seen.key.size(0) : 0;
    seen.key = seen.key.defined() ? at::cat({seen.key, key}) : key;
    seen.value = seen.value.defined() ? at::cat({seen.value, value}) : value;
    key = seen.key;
    value = seen.value;
  }
  return kernels::attention({query, key, value, context.documents, context.documents}, attention, {},
                            dropout(context), kernels_);
}

kernels::AttentionDropout SelfAttention::dropout(const ForwardContext& context) const {
  if (!context.training || dropout_ == 0.0) return {};
  kernels::AttentionDropout result{.p = dropout_, .key = context.dropout_key(layer_, "attention", heads_)};
  result.key.first_column = first_head_;
  return result;
}

}  // namespace primus::model
