// TransformerConfig → config.json of Hugging Face.
#include <nlohmann/json.hpp>

#include "checkpoint/huggingface.h"
#include "checkpoint/huggingface_families.h"
#include "core/error.h"

namespace primus::checkpoint {

using model::Normalization;
using model::PositionEmbedding;
using model::TransformerConfig;
using Json = nlohmann::json;

namespace {

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16: return "bfloat16";
    case at::kHalf: return "float16";
    default: return "float32";
  }
}

void require_expressible(bool holds, const char* what) {
  if (!holds)
    throw_user_error("this model cannot be exported as a Hugging Face Llama, Mistral or Qwen model: {}",
                     what);
}

/// Throws when no class of the family computes what this model does.
void check_expressible(const TransformerConfig& config) {
  const auto require = require_expressible;
  require(config.position_embedding == PositionEmbedding::rope, "position_embedding_type is not rope");
  require(config.rope.dim == config.kv_channels, "rotary_percent is not 1");
  require(!config.rope.interleaved, "rotary_interleaved is set");
  require(!(config.rope.llama_scaling && config.rope.interpolation_factor != 1.0),
          "use_rope_scaling together with rotary_seq_len_interpolation_factor");
  require(config.normalization == Normalization::rms_norm, "normalization is not RMSNorm");
  require(!config.layernorm_zero_centered_gamma, "layernorm_zero_centered_gamma is set");
  require(config.activation == kernels::Activation::swiglu, "the activation is not swiglu");
  require(config.final_logit_softcapping == 0.0, "final_logit_softcapping is set");
  require(config.attn_logit_softcapping == 0.0, "attn_logit_softcapping is set");
  require(config.attention_windows.empty(), "window_size is set");
  require(!(config.qk_layernorm && config.add_qkv_bias), "qk_layernorm together with add_qkv_bias");
  require(!(config.qk_layernorm && config.add_bias_linear), "qk_layernorm together with add_bias_linear");
}

/// The class whose tensors and formulas are the model's, and which Transformers makes with its sizes.
const HuggingFaceFamily& family_of(const TransformerConfig& config) {
  if (config.qk_layernorm) return qwen3_family;
  if (config.add_qkv_bias && !config.add_bias_linear) return qwen2_family;
  if (config.hidden_size % config.num_attention_heads == 0) return llama_family;
  // Without biases Mistral's class computes the same, and leaves sizes alone.
  require_expressible(!config.add_bias_linear,
                      "with add_bias_linear, num_attention_heads must divide hidden_size");
  return mistral_family;
}

Json rope_settings(const kernels::RopeConfig& rope) {
  Json settings = {{"rope_type", "default"}, {"rope_theta", rope.base}};
  if (rope.llama_scaling) {
    settings["rope_type"] = "llama3";
    settings["factor"] = rope.llama_scaling->factor;
    settings["low_freq_factor"] = rope.llama_scaling->low_frequency_factor;
    settings["high_freq_factor"] = rope.llama_scaling->high_frequency_factor;
    settings["original_max_position_embeddings"] = rope.llama_scaling->original_max_positions;
  } else if (rope.interpolation_factor != 1.0) {
    settings["rope_type"] = "linear";
    settings["factor"] = rope.interpolation_factor;
  }
  return settings;
}

}  // namespace

std::string huggingface_config(const TransformerConfig& config, const Json& special_tokens) {
  check_expressible(config);
  const HuggingFaceFamily& family = family_of(config);
  Json json = {{"architectures", {family.architecture}},
               {"model_type", family.model_type},
               {"num_hidden_layers", config.num_layers},
               {"hidden_size", config.hidden_size},
               {"intermediate_size", config.ffn_hidden_size},
               {"num_attention_heads", config.num_attention_heads},
               {"num_key_value_heads", config.num_query_groups},
               {"head_dim", config.kv_channels},
               {"vocab_size", config.vocab_size},
               {"max_position_embeddings", config.max_position_embeddings},
               {"rms_norm_eps", config.layernorm_epsilon},
               {"hidden_act", "silu"},
               {"tie_word_embeddings", !config.untie_embeddings_and_output_weights},
               {"initializer_range", config.init_method_std},
               {"attention_dropout", config.attention_dropout},
               {"rope_theta", config.rope.base},
               {"rope_parameters", rope_settings(config.rope)},
               {"torch_dtype", dtype_name(config.params_dtype)},
               {"dtype", dtype_name(config.params_dtype)},
               {"use_cache", true}};
  if (&family == &llama_family) {
    json["attention_bias"] = config.add_bias_linear;
    json["mlp_bias"] = config.add_bias_linear;
  }
  if (family.window_by_default) json["sliding_window"] = nullptr;
  if (family.window_has_switch) json["use_sliding_window"] = false;
  if (json["rope_parameters"]["rope_type"] != "default") json["rope_scaling"] = json["rope_parameters"];
  // An absent id would mean whatever the class has as its default.
  for (const char* key : special_token_keys) json[key] = special_tokens.value(key, Json());
  return json.dump(2) + "\n";
}

}  // namespace primus::checkpoint
