#include "model/flops.h"

namespace primus::model {

double flops_per_iteration(const TransformerConfig& config, std::int64_t samples, std::int64_t seq_length) {
  const auto h = static_cast<double>(config.hidden_size);
  const auto f = static_cast<double>(config.ffn_hidden_size);
  const auto layers = static_cast<double>(config.num_layers);
  const auto s = static_cast<double>(seq_length);
  const auto queries = static_cast<double>(config.num_attention_heads * config.kv_channels);
  const auto keys = static_cast<double>(config.num_query_groups * config.kv_channels);
  const double mlp = h * f * (config.gated() ? 3.0 : 2.0);
  const double projections = h * (queries + 2.0 * keys) + queries * h;
  const double attention = queries * s;  // scores and context, each halved by the causal mask
  const double head = h * static_cast<double>(config.padded_vocab_size);
  return 6.0 * static_cast<double>(samples) * s * (layers * (mlp + projections + attention) + head);
}

std::int64_t parameter_count(const TransformerConfig& config) {
  const std::int64_t h = config.hidden_size, f = config.ffn_hidden_size;
  const std::int64_t norm_parts = config.normalization == Normalization::layer_norm ? 2 : 1;
  const std::int64_t projection_in = config.num_attention_heads * config.kv_channels;
  const std::int64_t wide = f * (config.gated() ? 2 : 1);
  std::int64_t layer = 2 * norm_parts * h + config.qkv_size() * h + projection_in * h + wide * h + f * h;
  if (config.qk_layernorm) layer += 2 * norm_parts * config.kv_channels;
  if (config.add_bias_linear || config.add_qkv_bias) layer += config.qkv_size();
  if (config.add_bias_linear) layer += h + wide + h;
  std::int64_t total = config.num_layers * layer + norm_parts * h + config.padded_vocab_size * h;
  if (config.untie_embeddings_and_output_weights) total += config.padded_vocab_size * h;
  if (config.position_embedding == PositionEmbedding::learned_absolute) {
    total += config.max_position_embeddings * h;
  }
  return total;
}

}  // namespace primus::model
