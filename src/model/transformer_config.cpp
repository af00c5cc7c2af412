#include "model/transformer_config.h"

#include <cmath>

#include "core/error.h"

namespace primus::model {

double TransformerConfig::output_init_std() const {
  return init_method_std / std::sqrt(2.0 * static_cast<double>(num_layers));
}

namespace {

void check_positive(const char* name, std::int64_t value) {
  if (value < 1) throw_user_error("{} is {}: it must be at least 1", name, value);
}

void check_multiple(const char* name, std::int64_t value, const char* of_name, std::int64_t of) {
  if (value % of != 0) throw_user_error("{} ({}) must be a multiple of {} ({})", name, value, of_name, of);
}

void check_probability(const char* name, double value) {
  if (!(value >= 0.0 && value < 1.0))
    throw_user_error("{} is {}: it must be at least 0 and less than 1", name, value);
}

}  // namespace

void check(const TransformerConfig& config) {
  check_positive("num_layers", config.num_layers);
  check_positive("hidden_size", config.hidden_size);
  check_positive("num_attention_heads", config.num_attention_heads);
  check_positive("num_query_groups", config.num_query_groups);
  check_positive("kv_channels", config.kv_channels);
  check_positive("ffn_hidden_size", config.ffn_hidden_size);
  check_positive("vocab_size", config.vocab_size);
  check_positive("max_position_embeddings", config.max_position_embeddings);
  check_multiple("num_attention_heads", config.num_attention_heads, "num_query_groups",
                 config.num_query_groups);
  if (!config.attention_windows.empty() &&
      static_cast<std::int64_t>(config.attention_windows.size()) != config.num_layers) {
    throw_user_error("there are attention windows for {} layers, and num_layers is {}",
                     config.attention_windows.size(), config.num_layers);
  }
  check_probability("hidden_dropout", config.hidden_dropout);
  check_probability("attention_dropout", config.attention_dropout);
  if (config.padded_vocab_size < config.vocab_size) {
    throw_user_error("the padded vocabulary ({}) is smaller than the vocabulary ({})",
                     config.padded_vocab_size, config.vocab_size);
  }
  if (config.position_embedding == PositionEmbedding::rope) {
    const std::int64_t dim = config.rope.dim;
    if (dim < 2 || dim % 2 != 0 || dim > config.kv_channels) {
      throw_user_error(
          "rotary_percent rotates {} of a head's {} dimensions (kv_channels): this must be an even number, "
          "at least 2 and at most kv_channels",
          dim, config.kv_channels);
    }
  }
}

void check_shared_by(const TransformerConfig& config, int ranks) {
  const auto divides = [ranks](const char* name, std::int64_t value) {
    if (value % ranks == 0) return;
    throw_user_error("{1} {2} is not divisible by tensor_model_parallel_size {0}", ranks, name, value);
  };
  divides("num_attention_heads", config.num_attention_heads);
  divides("num_query_groups", config.num_query_groups);
  divides("ffn_hidden_size", config.ffn_hidden_size);
  divides("the padded vocabulary size", config.padded_vocab_size);
}

}  // namespace primus::model
