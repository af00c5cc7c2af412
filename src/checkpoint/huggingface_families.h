#pragma once

#include <string_view>

#include "model/transformer_config.h"

namespace primus::checkpoint {

/// What sets the classes of Transformers that we read and write apart from LlamaForCausalLM.
struct HuggingFaceFamily {
  const char* model_type;
  const char* architecture;
  /// Queries, keys and values always have a bias, other linear layers never.
  bool qkv_bias = false;
  bool qk_layernorm = false;
  /// Transformers refuses a hidden size that the number of heads does not divide.
  bool needs_divisible_heads = false;
  /// What an absent key means; where it means a number of its own, the key must be there.
  bool key_value_heads_follow = false;
  bool head_dim_follows = true;
  bool window_by_default = false;
  /// `sliding_window` counts only with `use_sliding_window`.
  bool window_has_switch = false;
};

inline constexpr HuggingFaceFamily llama_family = {.model_type = "llama",
                                                   .architecture = "LlamaForCausalLM",
                                                   .needs_divisible_heads = true,
                                                   .key_value_heads_follow = true};
inline constexpr HuggingFaceFamily mistral_family = {
    .model_type = "mistral", .architecture = "MistralForCausalLM", .window_by_default = true};
inline constexpr HuggingFaceFamily qwen2_family = {.model_type = "qwen2",
                                                   .architecture = "Qwen2ForCausalLM",
                                                   .qkv_bias = true,
                                                   .window_by_default = true,
                                                   .window_has_switch = true};
inline constexpr HuggingFaceFamily qwen3_family = {.model_type = "qwen3",
                                                   .architecture = "Qwen3ForCausalLM",
                                                   .qk_layernorm = true,
                                                   .head_dim_follows = false,
                                                   .window_by_default = true,
                                                   .window_has_switch = true};

inline constexpr const HuggingFaceFamily* huggingface_families[] = {&llama_family, &mistral_family,
                                                                    &qwen2_family, &qwen3_family};

}  // namespace primus::checkpoint
