#include <fmt/ranges.h>

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

/// Fields that not every model's function depends on.
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
      throw_user_error("{}: '{}' is {}, which this program does not support", source, name,
                       json[name].dump());
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
            "{}: '{}' is unknown: the checkpoint was written by a newer version of this program; use that "
            "version",
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

/// The model in the arguments that a user sets. What only one of two models has follows from another
/// argument.
Json arguments_of(const TransformerConfig& config) {
  Json view = json_of(config);
  const auto rename = [&view](const char* field, const char* argument, Json value) {
    view.erase(field);
    view[argument] = std::move(value);
  };
  const auto null_for = [](double unset, double value) { return value == unset ? Json() : Json(value); };
  view.erase(padded_vocab_size);
  // Without a table of positions, only a bound for seq_length.
  if (config.position_embedding != PositionEmbedding::learned_absolute) view.erase(max_position_embeddings);
  view.erase("rope_scaling");
  if (config.position_embedding == PositionEmbedding::rope) {
    rename("rotary_dim", "rotary_percent",
           static_cast<double>(config.rope.dim) / static_cast<double>(config.kv_channels));
    view["rotary_seq_len_interpolation_factor"] = null_for(1.0, config.rope.interpolation_factor);
    view["use_rope_scaling"] = config.rope.llama_scaling.has_value();
    if (const auto& scaling = config.rope.llama_scaling) {
      view["rope_scaling_factor"] = scaling->factor;
      view["low_freq_factor (of rope scaling)"] = scaling->low_frequency_factor;
      view["high_freq_factor (of rope scaling)"] = scaling->high_frequency_factor;
      view["original_max_position_embeddings (of rope scaling)"] = scaling->original_max_positions;
    }
  } else {
    for (const char* field :
         {"rotary_dim", "rotary_base", "rotary_interleaved", "rotary_seq_len_interpolation_factor"})
      view.erase(field);
  }
  rename("vocab_size", "vocab_size (the tokenizer's)", config.vocab_size);
  rename("activation", "activation (swiglu, quick_geglu, squared_relu, openai_gelu, bias_gelu_fusion)",
         view["activation"]);
  rename("attention_windows", "window_size (tokens to the left, for each layer after window_attn_skip_freq)",
         config.attention_windows.empty() ? Json() : Json(config.attention_windows));
  view["attn_logit_softcapping"] = null_for(0.0, config.attn_logit_softcapping);
  view["final_logit_softcapping"] = null_for(0.0, config.final_logit_softcapping);
  return view;
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

std::vector<Difference> differences(const TransformerConfig& theirs, const TransformerConfig& ours) {
  const auto text = [](const Json& value) { return value.is_null() ? std::string("not set") : value.dump(); };
  const Json others = arguments_of(theirs), own = arguments_of(ours);
  std::vector<Difference> result;
  for (const auto& [argument, value] : own.items()) {
    const auto other = others.find(argument);
    if (other != others.end() && *other != value) result.push_back({argument, text(*other), text(value)});
  }
  return result;
}

void require_same(const TransformerConfig& checkpoint, const TransformerConfig& run,
                  const std::string& checkpoint_name) {
  std::vector<std::string> lines;
  for (const Difference& difference : differences(checkpoint, run))
    lines.push_back(fmt::format("{} is {} in the checkpoint, {} in this run", difference.argument,
                                difference.theirs, difference.ours));
  if (lines.empty()) return;
  const std::string advice =
      checkpoint.vocab_size > run.vocab_size
          ? fmt::format(
                ". A model may have more rows than its tokenizer has entries: set padded_vocab_size: {}",
                checkpoint.vocab_size)
          : "";
  throw_user_error("{}: a checkpoint of another model: {}{}", checkpoint_name, fmt::join(lines, "; "),
                   advice);
}

}  // namespace primus::model
