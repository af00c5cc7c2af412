#include "model/self_attention.h"

#include <ATen/Functions.h>

namespace primus::model {

namespace {

std::optional<Norm> head_norm(const PartContext& context, const char* name) {
  if (!context.config.qk_layernorm) return {};
  return Norm(context.config, context.name + name, context.config.kv_channels,
              /*sees_a_part=*/context.mesh.tensor().size() > 1, context.parameters);
}

PartCosts self_attention_costs(const TransformerConfig& config, const LayerSpec& /*layer*/,
                               std::int64_t seq_length) {
  const std::int64_t queries = config.num_attention_heads * config.kv_channels;
  const auto projections = static_cast<double>(config.hidden_size * (config.qkv_size() + queries));
  // Scores and context, each halved by the causal mask. Megatron counts windows in full as well.
  const double scores = static_cast<double>(queries) * static_cast<double>(seq_length);
  constexpr std::int64_t fp32 = 4;
  return {.multiply_adds = projections + scores,
          .kept_elements = config.qkv_size() + queries,
          .kept_bytes = fp32 * config.num_attention_heads};
}

}  // namespace

const PartKind self_attention = {.name = "self_attention",
                                 .norm = "self_attention.linear_qkv.layer_norm_",
                                 .make = [](const PartContext& context) -> std::unique_ptr<LayerPart> {
                                   return std::make_unique<SelfAttention>(context);
                                 },
                                 .costs = self_attention_costs};

SelfAttention::SelfAttention(const PartContext& context)
    : layer_(context.layer.number),
      cache_slot_(context.cache_slot),
      slots_(context.config.heads_per_group() + 2),
      head_size_(context.config.kv_channels),
      heads_(context.config.num_attention_heads),
      first_head_(context.mesh.tensor().rank() * heads_ / context.mesh.tensor().size()),
      rotary_(context.layer.rotary),
      dropout_(context.config.attention_dropout),
      attention_{.window_left = context.layer.attention_window,
                 .softcap = context.config.attn_logit_softcapping},
      kernels_(context.config.kernels),
      linear_qkv_({.name = context.name + ".linear_qkv",
                   .in = context.config.hidden_size,
                   .out = context.config.qkv_size(),
                   .bias = context.config.add_bias_linear || context.config.add_qkv_bias,
                   .init = {.value = context.config.init_method_std},
                   .kernels = context.config.kernels},
                  context.mesh, context.parameters),
      q_layernorm_(head_norm(context, ".q_layernorm.")),
      k_layernorm_(head_norm(context, ".k_layernorm.")),
      linear_proj_({.name = context.name + ".linear_proj",
                    .in = heads_ * head_size_,
                    .out = context.config.hidden_size,
                    .bias = context.config.add_bias_linear,
                    .init = {.value = context.config.output_init_std()},
                    .kernels = context.config.kernels},
                   context.mesh, context.parameters) {}

at::Tensor SelfAttention::forward(const at::Tensor& x, const ForwardContext& context) const {
  const at::Tensor projected = linear_qkv_.forward(x);
  at::Tensor qkv = projected.view({projected.size(0), projected.size(1), -1, slots_, head_size_});
  at::Tensor attended;
  if (q_layernorm_ || context.cache != nullptr) {
    attended = attend_apart(qkv, context);
  } else {
    if (rotates(context)) qkv = kernels::apply_rope_packed(qkv, context.rope, kernels_);
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
  if (rotates(context)) {
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
