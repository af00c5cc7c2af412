#include "config/flops.h"

namespace primus::config {

namespace {

/// Multiply-adds per token and layer of the attention, as a number of weights.
double attention(const Arguments& a) {
  const auto hidden = static_cast<double>(a.get<"hidden_size">());
  const auto heads = static_cast<double>(a.get<"num_attention_heads">());
  const auto length = static_cast<double>(a.get<"seq_length">());
  if (!a.get<"multi_latent_attention">()) {
    const auto channels = static_cast<double>(*a.get<"kv_channels">());
    const auto groups = a.get<"group_query_attention">()
                            ? static_cast<double>(a.get<"num_query_groups">().value_or(1))
                            : heads;
    const double query = channels * heads, key = channels * groups;
    const double gate = a.get<"attention_output_gate">() ? query : 0;
    return hidden * (query + 2 * key + gate) + query * length + query * hidden;
  }
  const auto content = static_cast<double>(a.get<"qk_head_dim">());
  const auto rope = static_cast<double>(a.get<"qk_pos_emb_head_dim">());
  const auto value = static_cast<double>(a.get<"v_head_dim">());
  const auto key_rank = static_cast<double>(a.get<"kv_lora_rank">());
  const auto query_rank = a.get<"q_lora_rank">();
  const double query = query_rank ? static_cast<double>(*query_rank) * (hidden + heads * (content + rope) + 1)
                                  : hidden * heads * (content + rope);
  return query + key_rank * (hidden + heads * (content + value) + 1) + hidden * rope +
         heads * value * hidden + length * heads * (content + rope) / 2 + length * heads * value / 2;
}

}  // namespace

bool has_operation_count(const Arguments& a) {
  return !a.get<"hybrid_layer_pattern">() && !a.get<"experimental_attention_variant">() &&
         a.get<"model_type">() == "gpt";
}

double floating_point_operations(const Arguments& a, std::int64_t batch_size, std::int64_t vocabulary) {
  const auto hidden = static_cast<double>(a.get<"hidden_size">());
  const std::int64_t layers = a.get<"num_layers">();
  const std::int64_t depth = a.get<"mtp_num_layers">().value_or(0);
  const double matrices = a.get<"swiglu">() ? 3 : 2;

  std::int64_t expert_layers = 0;
  if (a.get<"num_experts">()) {
    const LayerPattern pattern = a.get<"moe_layer_freq">();
    expert_layers = pattern.count(layers);
    // A layer that predicts a further token is built like the last one.
    if (layers > 0 && pattern.contains(layers - 1)) expert_layers += depth;
  }
  const auto all_layers = static_cast<double>(layers + depth);
  const double dense_layers = all_layers - static_cast<double>(expert_layers);

  const auto expert_size = static_cast<double>(a.get<"moe_ffn_hidden_size">().value_or(0));
  const auto shared = static_cast<double>(a.get<"moe_shared_expert_intermediate_size">().value_or(0));
  double routed = expert_size * static_cast<double>(a.get<"moe_router_topk">());
  if (const auto latent = a.get<"moe_latent_size">()) {
    const auto width = static_cast<double>(*latent);
    routed = routed * width / hidden + 2 * width / matrices;
  }
  const double feed_forward = hidden * matrices *
                              (static_cast<double>(a.get<"ffn_hidden_size">().value_or(0)) * dense_layers +
                               (routed + shared) * static_cast<double>(expert_layers));
  const auto predictions = static_cast<double>(depth);
  const double tokens = static_cast<double>(batch_size) * static_cast<double>(a.get<"seq_length">());
  return 6 * tokens *
         (feed_forward + all_layers * attention(a) + predictions * (3 * hidden + 2 * hidden * hidden) +
          hidden * static_cast<double>(vocabulary) * (predictions + 1));
}

}  // namespace primus::config
