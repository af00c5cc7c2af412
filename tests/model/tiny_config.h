#pragma once

#include "model/transformer_config.h"

namespace primus::model {

/// A Llama of a few thousand parameters, with grouped queries.
inline TransformerConfig tiny_llama() {
  TransformerConfig config;
  config.num_layers = 3;
  config.hidden_size = 32;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 8;
  config.ffn_hidden_size = 48;
  config.vocab_size = 60;
  config.padded_vocab_size = 64;
  config.max_position_embeddings = 32;
  config.rope.dim = 8;
  return config;
}

/// A GPT-2 of the same size: LayerNorm, biases, GELU, learned positions, tied embeddings.
inline TransformerConfig tiny_gpt2() {
  TransformerConfig config = tiny_llama();
  config.num_query_groups = 4;
  config.position_embedding = PositionEmbedding::learned_absolute;
  config.normalization = Normalization::layer_norm;
  config.activation = kernels::Activation::gelu_tanh;
  config.add_bias_linear = true;
  config.untie_embeddings_and_output_weights = false;
  return config;
}

}  // namespace primus::model
