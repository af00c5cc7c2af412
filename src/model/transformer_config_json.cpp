#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/transformer_config.h"

namespace primus::model {

namespace {

using Json = nlohmann::json;

template <typename Enum>
struct EnumName {
  Enum value;
  const char* name;
};

constexpr EnumName<Normalization> normalizations[] = {{Normalization::layer_norm, "LayerNorm"},
                                                      {Normalization::rms_norm, "RMSNorm"}};
constexpr EnumName<PositionEmbedding> position_embeddings[] = {
    {PositionEmbedding::none, "none"},
    {PositionEmbedding::learned_absolute, "learned_absolute"},
    {PositionEmbedding::rope, "rope"}};
constexpr EnumName<kernels::Activation> activations[] = {
    {kernels::Activation::gelu, "gelu"},   {kernels::Activation::gelu_tanh, "gelu_tanh"},
    {kernels::Activation::relu, "relu"},   {kernels::Activation::squared_relu, "squared_relu"},
    {kernels::Activation::silu, "silu"},   {kernels::Activation::swiglu, "swiglu"},
    {kernels::Activation::geglu, "geglu"}, {kernels::Activation::quick_geglu, "quick_geglu"}};
/// Writes fields into JSON.
struct Writer {
  Json& json;

  template <typename T>
  void field(const char* name, const T& value) {
    json[name] = value;
  }
  template <typename Enum, std::size_t N>
  void choice(const char* name, const Enum& value, const EnumName<Enum> (&names)[N]) {
    for (const auto& entry : names) {
      if (entry.value == value) json[name] = entry.name;
    }
  }
};

/// Reads fields from JSON; every one must be there.
struct Reader {
  const Json& json;
  const std::string& source;

  const Json& at(const char* name) const {
    if (!json.contains(name)) throw_user_error("{}: '{}' is missing", source, name);
    return json[name];
  }
  template <typename T>
  void field(const char* name, T& value) {
    try {
      at(name).get_to(value);
    } catch (const Json::exception&) {
      throw_user_error("{}: '{}' has a value of the wrong type: {}", source, name, at(name).dump());
    }
  }
  template <typename Enum, std::size_t N>
  void choice(const char* name, Enum& value, const EnumName<Enum> (&names)[N]) {
    for (const auto& entry : names) {
      if (at(name) == entry.name) {
        value = entry.value;
        return;
      }
    }
    throw_user_error("{}: '{}' has an unknown value: {}", source, name, at(name).dump());
  }
};

/// The one list of fields, in Megatron's names.
template <typename Visitor, typename Config>
void visit(Visitor&& visitor, Config& config) {
  visitor.field("num_layers", config.num_layers);
  visitor.field("hidden_size", config.hidden_size);
  visitor.field("num_attention_heads", config.num_attention_heads);
  visitor.field("num_query_groups", config.num_query_groups);
  visitor.field("kv_channels", config.kv_channels);
  visitor.field("ffn_hidden_size", config.ffn_hidden_size);
  visitor.field("vocab_size", config.vocab_size);
  visitor.field("padded_vocab_size", config.padded_vocab_size);
  visitor.field("max_position_embeddings", config.max_position_embeddings);
  visitor.choice("position_embedding_type", config.position_embedding, position_embeddings);
  visitor.field("rotary_dim", config.rope.dim);
  visitor.field("rotary_base", config.rope.base);
  visitor.field("rotary_interleaved", config.rope.interleaved);
  visitor.field("rotary_seq_len_interpolation_factor", config.rope.interpolation_factor);
  visitor.choice("normalization", config.normalization, normalizations);
  visitor.field("layernorm_epsilon", config.layernorm_epsilon);
  visitor.field("layernorm_zero_centered_gamma", config.layernorm_zero_centered_gamma);
  visitor.choice("activation", config.activation, activations);
  visitor.field("add_bias_linear", config.add_bias_linear);
  visitor.field("add_qkv_bias", config.add_qkv_bias);
  visitor.field("qk_layernorm", config.qk_layernorm);
  visitor.field("apply_residual_connection_post_layernorm", config.apply_residual_connection_post_layernorm);
  visitor.field("final_logit_softcapping", config.final_logit_softcapping);
  visitor.field("untie_embeddings_and_output_weights", config.untie_embeddings_and_output_weights);
}

template <typename Visitor, typename Scaling>
void visit_scaling(Visitor&& visitor, Scaling& scaling) {
  visitor.field("factor", scaling.factor);
  visitor.field("low_freq_factor", scaling.low_frequency_factor);
  visitor.field("high_freq_factor", scaling.high_frequency_factor);
  visitor.field("original_max_position_embeddings", scaling.original_max_positions);
}

}  // namespace

std::string to_json(const TransformerConfig& config) {
  Json json = Json::object();
  visit(Writer{json}, config);
  if (config.rope.llama_scaling) {
    Json scaling = Json::object();
    visit_scaling(Writer{scaling}, *config.rope.llama_scaling);
    json["rope_scaling"] = scaling;
  }
  if (config.attn_logit_softcapping > 0.0) json["attn_logit_softcapping"] = config.attn_logit_softcapping;
  if (!config.attention_windows.empty()) json["attention_windows"] = config.attention_windows;
  return json.dump(2) + "\n";
}

TransformerConfig transformer_config_from_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw_user_error("{}: this is not a JSON object", source);
  TransformerConfig config;
  visit(Reader{json, source}, config);
  if (json.contains("rope_scaling")) {
    visit_scaling(Reader{json["rope_scaling"], source}, config.rope.llama_scaling.emplace());
  }
  Reader reader{json, source};
  if (json.contains("attn_logit_softcapping"))
    reader.field("attn_logit_softcapping", config.attn_logit_softcapping);
  if (json.contains("attention_windows")) reader.field("attention_windows", config.attention_windows);
  check(config);
  return config;
}

}  // namespace primus::model
