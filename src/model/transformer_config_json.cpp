#include <nlohmann/json.hpp>
#include <set>

#include "core/json.h"
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

/// Fields that do not always change the function.
constexpr const char* padded_vocab_size = "padded_vocab_size";
constexpr const char* max_position_embeddings = "max_position_embeddings";

template <typename Visitor, typename Scaling>
void visit_scaling(Visitor&& visitor, Scaling& scaling) {
  visitor.field("factor", scaling.factor);
  visitor.field("low_freq_factor", scaling.low_frequency_factor);
  visitor.field("high_freq_factor", scaling.high_frequency_factor);
  visitor.field("original_max_position_embeddings", scaling.original_max_positions);
}

/// Writes fields into JSON.
struct Writer {
  Json& json;

  template <typename T>
  void field(const char* name, const T& value) {
    json[name] = value;
  }
  template <typename T>
  void later_field(const char* name, const T& value, const T&) {
    field(name, value);
  }
  void former_field(const char*, bool) {}
  template <typename Enum, std::size_t N>
  void choice(const char* name, const Enum& value, const EnumName<Enum> (&names)[N]) {
    for (const auto& entry : names) {
      if (entry.value == value) json[name] = entry.name;
    }
  }
  void scaling(const char* name, const std::optional<kernels::LlamaRopeScaling>& value) {
    json[name] = nullptr;
    if (value) visit_scaling(Writer{json[name]}, *value);
  }
};

/// Reads fields from JSON.
struct Reader {
  const Json& json;
  const std::string& source;
  /// Those that have been asked for.
  std::set<std::string> names = {};

  const Json& at(const char* name) {
    names.insert(name);
    if (!json.is_object() || !json.contains(name)) throw_user_error("{}: '{}' is missing", source, name);
    return json[name];
  }
  template <typename T>
  void field(const char* name, T& value) {
    constexpr bool is_number = std::is_integral_v<T> && !std::is_same_v<T, bool>;
    try {
      if constexpr (is_number) {
        value = whole_number<T>(at(name), fmt::format("{}: '{}'", source, name));
      } else {
        at(name).get_to(value);
      }
    } catch (const Json::exception&) {
      throw_user_error("{}: '{}' has a value of the wrong type: {}", source, name, at(name).dump());
    }
  }
  template <typename T>
  void later_field(const char* name, T& value, const T& before) {
    names.insert(name);
    value = before;
    if (json.contains(name)) field(name, value);
  }
  void former_field(const char* name, bool only) {
    names.insert(name);
    if (json.contains(name) && json[name] != only) {
      throw_user_error("{}: '{}' is {}: no model of this program has that", source, name, json[name].dump());
    }
  }
  template <typename Enum, std::size_t N>
  void choice(const char* name, Enum& value, const EnumName<Enum> (&names_of_choices)[N]) {
    for (const auto& entry : names_of_choices) {
      if (at(name) == entry.name) {
        value = entry.value;
        return;
      }
    }
    throw_user_error("{}: '{}' has an unknown value: {}", source, name, at(name).dump());
  }
  void scaling(const char* name, std::optional<kernels::LlamaRopeScaling>& value) {
    names.insert(name);
    value.reset();
    if (json.contains(name) && !json[name].is_null())
      visit_scaling(Reader{json[name], source}, value.emplace());
  }
  /// A field of a newer program may change the model, so none is passed over.
  void refuse_unknown() const {
    for (const auto& [name, value] : json.items()) {
      if (!names.contains(name)) {
        throw_user_error(
            "{}: '{}' is unknown to this program: the checkpoint comes from a newer version, use that one",
            source, name);
      }
    }
  }
};

/// The one list of fields, in Megatron's names. What was not in it from the start is a `later_field`, with
/// the value that a model had before the field existed: so older checkpoints stay readable. A `former_field`
/// is written no more, and may be read with the one value that is left.
template <typename Visitor, typename Config>
void visit(Visitor&& visitor, Config& config) {
  visitor.field("num_layers", config.num_layers);
  visitor.field("hidden_size", config.hidden_size);
  visitor.field("num_attention_heads", config.num_attention_heads);
  visitor.field("num_query_groups", config.num_query_groups);
  visitor.field("kv_channels", config.kv_channels);
  visitor.field("ffn_hidden_size", config.ffn_hidden_size);
  visitor.field("vocab_size", config.vocab_size);
  visitor.field(padded_vocab_size, config.padded_vocab_size);
  visitor.field(max_position_embeddings, config.max_position_embeddings);
  visitor.choice("position_embedding_type", config.position_embedding, position_embeddings);
  visitor.field("rotary_dim", config.rope.dim);
  visitor.field("rotary_base", config.rope.base);
  visitor.field("rotary_interleaved", config.rope.interleaved);
  visitor.field("rotary_seq_len_interpolation_factor", config.rope.interpolation_factor);
  visitor.scaling("rope_scaling", config.rope.llama_scaling);
  visitor.choice("normalization", config.normalization, normalizations);
  visitor.field("layernorm_epsilon", config.layernorm_epsilon);
  visitor.field("layernorm_zero_centered_gamma", config.layernorm_zero_centered_gamma);
  visitor.choice("activation", config.activation, activations);
  visitor.field("add_bias_linear", config.add_bias_linear);
  visitor.field("add_qkv_bias", config.add_qkv_bias);
  visitor.field("qk_layernorm", config.qk_layernorm);
  visitor.former_field("apply_residual_connection_post_layernorm", false);
  visitor.later_field("attn_logit_softcapping", config.attn_logit_softcapping, 0.0);
  visitor.later_field("attention_windows", config.attention_windows, {});
  visitor.field("final_logit_softcapping", config.final_logit_softcapping);
  visitor.field("untie_embeddings_and_output_weights", config.untie_embeddings_and_output_weights);
}

Json json_of(const TransformerConfig& config) {
  Json json = Json::object();
  visit(Writer{json}, config);
  return json;
}

/// Whether two models that differ in a field are two functions all the same.
bool matters(const std::string& field, const TransformerConfig& config) {
  if (field == padded_vocab_size) return false;
  // Without a table of positions, only a bound for seq_length.
  if (field == max_position_embeddings)
    return config.position_embedding == PositionEmbedding::learned_absolute;
  const bool rotates = field.starts_with("rotary_") || field == "rope_scaling";
  return !rotates || config.position_embedding == PositionEmbedding::rope;
}

}  // namespace

std::string to_json(const TransformerConfig& config) { return json_of(config).dump(2) + "\n"; }

TransformerConfig transformer_config_from_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw_user_error("{}: this is not a JSON object", source);
  TransformerConfig config;
  Reader reader{json, source};
  visit(reader, config);
  reader.refuse_unknown();
  check(config);
  return config;
}

std::vector<std::string> differences(const TransformerConfig& theirs, const TransformerConfig& ours) {
  const auto text = [](const Json& value) { return value.is_null() ? std::string("not set") : value.dump(); };
  const Json there = json_of(theirs), here = json_of(ours);
  std::vector<std::string> result;
  for (const auto& [field, value] : here.items()) {
    if (there[field] != value && matters(field, ours))
      result.push_back(fmt::format("{} is {} there, {} here", field, text(there[field]), text(value)));
  }
  return result;
}

}  // namespace primus::model
