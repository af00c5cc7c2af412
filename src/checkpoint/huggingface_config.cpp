#include <nlohmann/json.hpp>

#include "checkpoint/huggingface.h"
#include "config/derive.h"
#include "core/error.h"
#include "core/file.h"

namespace primus::checkpoint {

using model::Normalization;
using model::PositionEmbedding;
using model::TransformerConfig;
using Json = nlohmann::json;

namespace {

/// config.json with errors that name the file and the key.
class ConfigFile {
 public:
  explicit ConfigFile(std::filesystem::path path) : path_(std::move(path)) {
    json_ = Json::parse(read_file(path_), nullptr, /*allow_exceptions=*/false);
    if (!json_.is_object()) throw_user_error("{}: this is not a JSON object", path_.string());
  }

  /// Null counts as absent, as Transformers has it.
  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& object(const char* key) const { return json_[key]; }

  template <typename T>
  T get(const char* key) const {
    if (!has(key)) throw_user_error("{}: '{}' is missing", path_.string(), key);
    return read<T>(json_, key);
  }
  template <typename T>
  T get(const char* key, T otherwise) const {
    return has(key) ? read<T>(json_, key) : otherwise;
  }
  template <typename T>
  T read(const Json& object, const char* key) const {
    try {
      return object.at(key).get<T>();
    } catch (const Json::exception&) {
      throw_user_error("{}: '{}' is missing or has a value of the wrong type", path_.string(), key);
    }
  }
  template <typename T>
  T read(const Json& object, const char* key, T otherwise) const {
    return object.contains(key) && !object[key].is_null() ? read<T>(object, key) : otherwise;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw_user_error(
        "{}: {}. Models of the Llama family can be read (LlamaForCausalLM, MistralForCausalLM without "
        "a sliding window, Qwen2ForCausalLM, Qwen3ForCausalLM)",
        path_.string(), what);
  }

 private:
  std::filesystem::path path_;
  Json json_;
};

void read_architecture(const ConfigFile& file, TransformerConfig& config) {
  const std::string type = file.get<std::string>("model_type");
  if (type == "qwen2") {
    config.add_qkv_bias = true;
  } else if (type == "qwen3") {
    config.qk_layernorm = true;
  } else if (type != "llama" && type != "mistral") {
    file.refuse(fmt::format("'model_type' is '{}'", type));
  }
  const bool uses_window = type == "mistral" || file.get("use_sliding_window", false);
  if (uses_window && file.has("sliding_window")) file.refuse("'sliding_window' is set");
  const std::string activation = file.get<std::string>("hidden_act", "silu");
  if (activation != "silu") file.refuse(fmt::format("'hidden_act' is '{}'", activation));
  config.add_bias_linear = file.get("attention_bias", false);
  if (file.get("mlp_bias", config.add_bias_linear) != config.add_bias_linear) {
    file.refuse("'attention_bias' and 'mlp_bias' differ");
  }
}

/// Both homes of the rotary settings: "rope_parameters" (Transformers 5), and before it "rope_theta" with
/// "rope_scaling".
void read_rope(const ConfigFile& file, TransformerConfig& config) {
  config.position_embedding = PositionEmbedding::rope;
  config.rope.dim = config.kv_channels;
  config.rope.base = file.get("rope_theta", 10000.0);
  const char* key = file.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!file.has(key)) return;
  const Json& settings = file.object(key);
  config.rope.base = file.read(settings, "rope_theta", config.rope.base);
  const std::string type =
      file.read(settings, "rope_type", file.read<std::string>(settings, "type", "default"));
  if (type == "linear") {
    config.rope.interpolation_factor = file.read<double>(settings, "factor");
  } else if (type == "llama3") {
    config.rope.llama_scaling = kernels::LlamaRopeScaling{
        .factor = file.read<double>(settings, "factor"),
        .low_frequency_factor = file.read<double>(settings, "low_freq_factor"),
        .high_frequency_factor = file.read<double>(settings, "high_freq_factor"),
        .original_max_positions = file.read<std::int64_t>(settings, "original_max_position_embeddings")};
  } else if (type != "default") {
    file.refuse(fmt::format("'rope_type' is '{}'", type));
  }
}

at::ScalarType read_dtype(const ConfigFile& file) {
  const std::string name = file.get("dtype", file.get<std::string>("torch_dtype", "float32"));
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  if (name == "float32") return at::kFloat;
  file.refuse(fmt::format("'dtype' is '{}'", name));
}

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16: return "bfloat16";
    case at::kHalf: return "float16";
    default: return "float32";
  }
}

/// Throws when no class of the family computes what this model does.
void check_expressible(const TransformerConfig& config) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw_user_error("Hugging Face's Llama family cannot express this model: {}", what);
  };
  require(config.position_embedding == PositionEmbedding::rope, "position_embedding_type is not rope");
  require(config.rope.dim == config.kv_channels, "rotary_percent is not 1");
  require(!config.rope.interleaved, "rotary_interleaved is set");
  require(config.normalization == Normalization::rms_norm, "normalization is not RMSNorm");
  require(!config.layernorm_zero_centered_gamma, "layernorm_zero_centered_gamma is set");
  require(config.activation == kernels::Activation::swiglu, "the activation is not swiglu");
  require(!config.apply_residual_connection_post_layernorm,
          "apply_residual_connection_post_layernorm is set");
  require(config.final_logit_softcapping == 0.0, "final_logit_softcapping is set");
  require(config.attn_logit_softcapping == 0.0, "attn_logit_softcapping is set");
  require(config.attention_windows.empty(), "window_size is set");
  require(!(config.qk_layernorm && config.add_qkv_bias), "qk_layernorm together with add_qkv_bias");
  require(!(config.qk_layernorm && config.add_bias_linear), "qk_layernorm together with add_bias_linear");
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

TransformerConfig read_huggingface_config(const std::filesystem::path& directory,
                                          std::int64_t make_vocab_size_divisible_by) {
  const ConfigFile file(directory / "config.json");
  TransformerConfig config;
  read_architecture(file, config);
  config.num_layers = file.get<std::int64_t>("num_hidden_layers");
  config.hidden_size = file.get<std::int64_t>("hidden_size");
  config.ffn_hidden_size = file.get<std::int64_t>("intermediate_size");
  config.num_attention_heads = file.get<std::int64_t>("num_attention_heads");
  config.num_query_groups = file.get("num_key_value_heads", config.num_attention_heads);
  if (config.num_attention_heads < 1) file.refuse("'num_attention_heads' is not positive");
  config.kv_channels = file.get("head_dim", config.hidden_size / config.num_attention_heads);
  config.vocab_size = file.get<std::int64_t>("vocab_size");
  config.padded_vocab_size =
      config::padded_vocabulary_size(config.vocab_size, make_vocab_size_divisible_by, 1);
  config.max_position_embeddings = file.get<std::int64_t>("max_position_embeddings", 2048);
  config.normalization = Normalization::rms_norm;
  config.activation = kernels::Activation::swiglu;
  config.layernorm_epsilon = file.get("rms_norm_eps", 1e-6);
  config.untie_embeddings_and_output_weights = !file.get("tie_word_embeddings", false);
  config.init_method_std = file.get("initializer_range", 0.02);
  config.params_dtype = read_dtype(file);
  read_rope(file, config);
  model::check(config);
  return config;
}

std::string huggingface_config(const TransformerConfig& config) {
  check_expressible(config);
  const bool qwen2 = config.add_qkv_bias && !config.add_bias_linear;
  const char* type = config.qk_layernorm ? "qwen3" : qwen2 ? "qwen2" : "llama";
  const char* architecture = config.qk_layernorm ? "Qwen3ForCausalLM"
                             : qwen2             ? "Qwen2ForCausalLM"
                                                 : "LlamaForCausalLM";
  Json json = {{"architectures", {architecture}},
               {"model_type", type},
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
               {"rope_theta", config.rope.base},
               {"rope_parameters", rope_settings(config.rope)},
               {"torch_dtype", dtype_name(config.params_dtype)},
               {"dtype", dtype_name(config.params_dtype)},
               {"use_cache", true}};
  if (json["model_type"] == "llama") {
    json["attention_bias"] = config.add_bias_linear;
    json["mlp_bias"] = config.add_bias_linear;
  }
  if (json["rope_parameters"]["rope_type"] != "default") json["rope_scaling"] = json["rope_parameters"];
  return json.dump(2) + "\n";
}

}  // namespace primus::checkpoint
