// config.json of Hugging Face → TransformerConfig. Every key is read, known to change nothing, or refused.
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "checkpoint/huggingface.h"
#include "checkpoint/huggingface_families.h"
#include "config/derive.h"
#include "core/json_object.h"

namespace primus::checkpoint {

using kernels::RopeConfig;
using model::Normalization;
using model::PositionEmbedding;
using model::TransformerConfig;
using Json = nlohmann::json;

namespace {

/// Keys that change nothing of what a model computes from tokens: bookkeeping of Transformers, its training
/// switches, labels of other heads, and settings of text generation, which Transformers keeps apart.
constexpr const char* keys_without_effect[] = {
    "transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "unsloth_version",
    "unsloth_fixed", "use_cache", "pretraining_tp", "max_window_layers", "is_decoder",
    "chunk_size_feed_forward", "gradient_checkpointing", "torchscript", "use_bfloat16", "tf_legacy_loss",
    "attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "experts_implementation",
    "output_attentions", "output_hidden_states", "output_scores", "return_dict", "use_return_dict",
    "return_dict_in_generate", "_flash_attn_2_enabled", "use_flash_attention", "transformers.js_config",
    "is_llama_config", "model_max_length", "base_model_tp_plan", "base_model_pp_plan",
    // Other heads
    "id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params",
    "tie_encoder_decoder", "cross_attention_hidden_size",
    // Tokenizers
    "tokenizer_class", "prefix", "unk_token_id", "sep_token_id", "decoder_start_token_id",
    // Generation
    "max_length", "min_length", "max_sequence_length", "do_sample", "early_stopping", "num_beams",
    "num_beam_groups", "num_return_sequences", "diversity_penalty", "temperature", "top_k", "top_p",
    "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "forced_bos_token_id", "forced_eos_token_id",
    "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"};

/// The value at which a setting of other models, or of other programs, changes nothing for this family.
std::optional<Json> neutral_value(const std::string& key, const HuggingFaceFamily& family) {
  const std::pair<const char*, Json> values[] = {{"attention_bias", family.qkv_bias},
                                                 {"mlp_bias", false},
                                                 {"use_qk_norm", family.qk_layernorm},
                                                 {"qk_layernorm", family.qk_layernorm},
                                                 {"use_sliding_window", false},
                                                 {"use_mrope", false},
                                                 {"rope_interleaved", false},
                                                 {"use_parallel_residual", false},
                                                 {"logit_scale", 1},
                                                 {"logits_scaling", 1},
                                                 {"embedding_multiplier", 1},
                                                 {"residual_multiplier", 1}};
  for (const auto& [name, value] : values) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void refuse_unknown_keys(const JsonObject& file, const HuggingFaceFamily& family) {
  for (const char* key : keys_without_effect) file.ignore(key);
  std::vector<std::string> unknown = file.unread();
  std::erase_if(unknown, [&](const std::string& key) { return file.at(key) == neutral_value(key, family); });
  if (unknown.empty()) return;
  file.refuse(fmt::format(
      "these keys are not known for model_type '{}', and may change what the model computes: {}. If "
      "they do not, pass over them with --ignore_keys {}",
      family.model_type, fmt::join(unknown, ", "), fmt::join(unknown, ",")));
}

const HuggingFaceFamily& read_family(const JsonObject& file) {
  const auto type = file.get<std::string>("model_type");
  const auto* const found = std::ranges::find_if(
      huggingface_families, [&](const auto* family) { return family->model_type == type; });
  if (found == std::end(huggingface_families)) {
    file.refuse(
        fmt::format("'model_type' is '{}': the supported model types are llama, mistral "
                    "(without a sliding window), qwen2 and qwen3",
                    type));
  }
  const HuggingFaceFamily& family = **found;
  if (file.has("architectures")) {
    const Json& architectures = file.at("architectures");
    if (architectures != Json::array({family.architecture})) {
      file.refuse(fmt::format("'architectures' is {}: for model_type '{}' only [\"{}\"] is supported",
                              architectures.dump(), type, family.architecture));
    }
  }
  return family;
}

/// Features that no model here has, each of which would go unnoticed otherwise.
void refuse_what_is_not_computed(const JsonObject& file, const HuggingFaceFamily& family) {
  if (file.has("quantization_config") || file.has("compression_config")) {
    const char* key = file.has("quantization_config") ? "quantization_config" : "compression_config";
    const Json& quantization = file.at(key);
    const std::string method =
        quantization.is_object() ? quantization.value("quant_method", Json("unnamed")).dump() : "unnamed";
    file.refuse(fmt::format(
        "'{}' is set: the weights are quantized (quant_method {}). Quantized weights are not read; "
        "save the model in bfloat16 first",
        key, method));
  }
  const auto activation = file.get<std::string>("hidden_act", "silu");
  if (activation != "silu")
    file.refuse(fmt::format("'hidden_act' is '{}', and only silu is supported", activation));
  for (const char* key : {"is_encoder_decoder", "add_cross_attention"}) {
    if (file.get(key, false))
      file.refuse(fmt::format("'{}' is true, and only decoder models are supported", key));
  }
  for (const char* key : {"per_layer_config", "pruned_heads"}) {
    if (file.has(key) && !file.at(key).empty())
      file.refuse(fmt::format("'{}' is set: all layers must have the same shape", key));
  }
  if (file.has("layer_types")) {
    for (const Json& type : file.at("layer_types")) {
      if (type != "full_attention")
        file.refuse(fmt::format("'layer_types' has {}: only full_attention can be imported", type.dump()));
    }
  }
  if (family.window_has_switch && !file.get("use_sliding_window", false)) {
    file.ignore("sliding_window");
  } else if (file.has("sliding_window")) {
    file.refuse(fmt::format("'sliding_window' is {}: only full attention (null) can be imported",
                            file.at("sliding_window").dump()));
  } else if (family.window_by_default && !file.contains("sliding_window")) {
    file.refuse(
        "'sliding_window' is missing, which means 4096: only full attention (null) can be "
        "imported");
  }
}

/// Sizes are bounded so that no product of them overflows.
std::int64_t read_size(const JsonObject& file, const char* key) {
  constexpr std::int64_t largest = 1 << 24;
  const auto size = file.get<std::int64_t>(key);
  if (size < 1 || size > largest)
    file.refuse(fmt::format("'{}' is {}: it must be between 1 and {}", key, size, largest));
  return size;
}

double read_positive(const JsonObject& object, const char* key) {
  const auto number = object.get<double>(key);
  if (number <= 0.0) object.refuse(fmt::format("'{}' is {}: it must be positive", key, number));
  return number;
}

void read_sizes(const JsonObject& file, const HuggingFaceFamily& family, TransformerConfig& config) {
  config.num_layers = read_size(file, "num_hidden_layers");
  config.hidden_size = read_size(file, "hidden_size");
  config.ffn_hidden_size = read_size(file, "intermediate_size");
  config.num_attention_heads = read_size(file, "num_attention_heads");
  const bool one_key_per_query = !file.has("num_key_value_heads") &&
                                 (family.key_value_heads_follow || file.contains("num_key_value_heads"));
  config.num_query_groups =
      one_key_per_query ? config.num_attention_heads : read_size(file, "num_key_value_heads");
  if (family.head_dim_follows && !file.has("head_dim")) {
    if (config.hidden_size % config.num_attention_heads != 0) {
      file.refuse(
          fmt::format("'num_attention_heads' ({}) does not divide 'hidden_size' ({}), and there is no "
                      "'head_dim'",
                      config.num_attention_heads, config.hidden_size));
    }
    config.kv_channels = config.hidden_size / config.num_attention_heads;
  } else {
    config.kv_channels = read_size(file, "head_dim");
  }
  config.vocab_size = read_size(file, "vocab_size");
  config.max_position_embeddings = read_size(file, "max_position_embeddings");
}

/// Biases are in all linear layers, in none, or in the query-key-value projection alone.
void read_biases(const JsonObject& file, const HuggingFaceFamily& family, TransformerConfig& config) {
  config.add_qkv_bias = family.qkv_bias;
  if (family.qkv_bias || &family == &mistral_family) return;  // It has no such keys.
  const bool attention = file.get("attention_bias", false);
  const bool mlp = &family == &llama_family && file.get("mlp_bias", false);
  if (attention != mlp) {
    file.refuse(fmt::format(
        "'attention_bias' is {} and 'mlp_bias' is {}: biases can be in all linear layers (both true), "
        "in none (both false), or in the query, key and value projections alone (model_type qwen2)",
        attention, mlp));
  }
  config.add_bias_linear = attention;
  config.add_qkv_bias = attention;
}

/// "rope_type", or "type" as it was called first.
std::string read_rope_type(const JsonObject& settings) {
  const auto type = settings.get<std::string>("type", "default");
  const auto rope_type = settings.get("rope_type", type);
  if (settings.has("type") && rope_type != type) {
    settings.refuse(
        fmt::format("'type' is '{}' and 'rope_type' is '{}': remove the one that is wrong", type, rope_type));
  }
  return rope_type;
}

void refuse_partial_rotation(const JsonObject& object) {
  if (const auto part = object.get("partial_rotary_factor", 1.0); part != 1.0)
    object.refuse(
        fmt::format("'partial_rotary_factor' is {}: these models rotate every dimension of each head", part));
}

/// One object of rotary settings. `config` holds what config.json says outside of it.
RopeConfig read_rope_settings(const JsonObject& settings, RopeConfig config,
                              std::optional<double> theta_outside) {
  if (settings.has("rope_theta")) config.base = read_positive(settings, "rope_theta");
  if (theta_outside && *theta_outside != config.base) {
    settings.refuse(fmt::format("'rope_theta' is {} here and {} outside: remove the one that is wrong",
                                config.base, *theta_outside));
  }
  refuse_partial_rotation(settings);
  const std::string type = read_rope_type(settings);
  if (type == "linear") {
    config.interpolation_factor = read_positive(settings, "factor");
  } else if (type == "llama3") {
    config.llama_scaling = kernels::LlamaRopeScaling{
        .factor = read_positive(settings, "factor"),
        .low_frequency_factor = read_positive(settings, "low_freq_factor"),
        .high_frequency_factor = read_positive(settings, "high_freq_factor"),
        .original_max_positions = read_size(settings, "original_max_position_embeddings")};
    if (config.llama_scaling->high_frequency_factor <= config.llama_scaling->low_frequency_factor)
      settings.refuse("'high_freq_factor' must be above 'low_freq_factor'");
  } else if (type != "default") {
    settings.refuse(fmt::format("'rope_type' is '{}': default, linear and llama3 can be imported", type));
  }
  if (const auto unread = settings.unread(); !unread.empty()) {
    const bool named = settings.has("rope_type") || settings.has("type");
    settings.refuse(fmt::format("'{}' has no meaning for rope_type '{}'{}", fmt::join(unread, "', '"), type,
                                named ? "" : ", which is what a missing 'rope_type' means"));
  }
  return config;
}

/// The settings of the one layer type there is, where they are nested by layer type.
JsonObject for_full_attention(const Json& json, const std::string& path) {
  const JsonObject settings(json, path);
  if (std::ranges::none_of(json, &Json::is_object)) return settings;
  if (!settings.has("full_attention")) {
    settings.refuse("it is nested by layer type but has no 'full_attention', the type of all layers here");
  }
  for (const std::string& key : settings.unread()) {
    if (!settings.at(key).is_object())
      settings.refuse(fmt::format("'{}' is set beside settings that are nested by layer type", key));
  }
  return settings.object("full_attention");
}

/// All spellings: "rope_parameters" (Transformers 5), flat or nested by layer type; before it "rope_theta"
/// with "rope_scaling". Both may be there when they agree.
RopeConfig read_rope(const JsonObject& file, std::int64_t head_size) {
  std::optional<double> theta;
  RopeConfig outside{.dim = head_size};
  if (file.has("rope_theta")) theta = outside.base = read_positive(file, "rope_theta");
  refuse_partial_rotation(file);
  RopeConfig rope = outside;
  bool found = false;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (!file.has(key) || file.at(key) == Json::object()) continue;
    const RopeConfig read = read_rope_settings(for_full_attention(file.at(key), key), outside, theta);
    if (found && rope != read) file.refuse("'rope_parameters' and 'rope_scaling' contradict each other");
    rope = read;
    found = true;
  }
  if (rope.llama_scaling && file.has("original_max_position_embeddings") &&
      read_size(file, "original_max_position_embeddings") != rope.llama_scaling->original_max_positions) {
    file.refuse("'original_max_position_embeddings' differs from that of the rotary settings");
  }
  return rope;
}

at::ScalarType read_dtype(const JsonObject& file) {
  const auto former = file.get<std::string>("torch_dtype", "float32");
  const auto name = file.get("dtype", former);
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  if (name == "float32") return at::kFloat;
  file.refuse(fmt::format("'dtype' is '{}': bfloat16, float16 and float32 can be imported", name));
}

/// The ids under `special_token_keys`; null where the file has null.
Json read_special_tokens(const JsonObject& file) {
  Json ids = Json::object();
  for (const char* key : special_token_keys) {
    if (!file.contains(key)) continue;
    ids[key] = file.has(key) ? file.at(key) : Json();
    const bool several = ids[key].is_array() && std::string_view(key) == "eos_token_id";
    for (const Json& id : several ? ids[key] : Json::array({ids[key]})) {
      if (!id.is_null() && !id.is_number_integer())
        file.refuse(fmt::format("'{}' has {}, which is not an integer", key, id.dump()));
    }
  }
  return ids;
}

HuggingFaceConfig read_config(const JsonObject& file) {
  constexpr std::int64_t divisible_by = 128;  // the default of make_vocab_size_divisible_by
  const HuggingFaceFamily& family = read_family(file);
  refuse_what_is_not_computed(file, family);
  HuggingFaceConfig result;
  TransformerConfig& config = result.model;
  config.normalization = Normalization::rms_norm;
  config.activation = kernels::Activation::swiglu;
  config.position_embedding = PositionEmbedding::rope;
  config.qk_layernorm = family.qk_layernorm;
  read_sizes(file, family, config);
  read_biases(file, family, config);
  config.padded_vocab_size = config::padded_vocabulary_size(config.vocab_size, divisible_by, 1);
  config.layernorm_epsilon = file.has("rms_norm_eps") ? read_positive(file, "rms_norm_eps") : 1e-6;
  config.untie_embeddings_and_output_weights = !file.get("tie_word_embeddings", false);
  config.init_method_std = file.get("initializer_range", 0.02);
  config.attention_dropout = file.get("attention_dropout", 0.0);
  config.params_dtype = read_dtype(file);
  config.rope = read_rope(file, config.kv_channels);
  model::check(config);
  result.special_tokens = read_special_tokens(file);
  refuse_unknown_keys(file, family);
  return result;
}

}  // namespace

HuggingFaceConfig read_huggingface_config(const std::filesystem::path& directory,
                                          const std::vector<std::string>& ignore_keys) {
  const std::filesystem::path path = directory / "config.json";
  Json document = read_json(path);
  return in_file(path, [&] {
    for (const std::string& key : ignore_keys) {
      if (document.erase(key) == 0) throw_user_error("--ignore_keys names '{}', which is not in it", key);
    }
    return read_config(JsonObject(document));
  });
}

}  // namespace primus::checkpoint
