#include <fmt/ranges.h>

#include <cmath>

#include "config/arguments.h"
#include "config/derive.h"
#include "core/error.h"
#include "model/transformer_config.h"

namespace primus::model {

using config::Arguments;

namespace {

std::int64_t query_groups_from(const Arguments& arguments, std::int64_t heads) {
  if (!arguments.get<"group_query_attention">()) return heads;
  const auto groups = arguments.get<"num_query_groups">();
  if (!groups || *groups < 1 || heads % *groups != 0) {
    throw UserError(arguments.where<"num_query_groups">(),
                    fmt::format("num_query_groups must divide num_attention_heads ({})", heads));
  }
  return *groups;
}

kernels::Activation activation_from(const Arguments& arguments) {
  if (arguments.get<"swiglu">()) return kernels::Activation::swiglu;
  if (arguments.get<"quick_geglu">()) return kernels::Activation::quick_geglu;
  if (arguments.get<"squared_relu">()) return kernels::Activation::squared_relu;
  if (arguments.get<"openai_gelu">()) return kernels::Activation::gelu_tanh;
  // Megatron's fused bias-gelu is the tanh form.
  return arguments.get<"bias_gelu_fusion">() ? kernels::Activation::gelu_tanh : kernels::Activation::gelu;
}

PositionEmbedding position_embedding_from(const Arguments& arguments) {
  const std::string type = arguments.get<"position_embedding_type">();
  if (type == "rope") return PositionEmbedding::rope;
  if (type == "none") return PositionEmbedding::none;
  if (type == "learned_absolute") {
    if (!arguments.get<"add_position_embedding">()) {
      throw UserError(arguments.where<"add_position_embedding">(),
                      "position_embedding_type learned_absolute needs add_position_embedding: true");
    }
    return PositionEmbedding::learned_absolute;
  }
  throw UserError(
      arguments.where<"position_embedding_type">(),
      fmt::format("position_embedding_type '{}' is not supported: use rope, learned_absolute or none", type));
}

kernels::RopeConfig rope_from(const Arguments& arguments, std::int64_t kv_channels) {
  kernels::RopeConfig rope;
  rope.dim = static_cast<std::int64_t>(static_cast<double>(kv_channels) * arguments.get<"rotary_percent">());
  rope.base = arguments.get<"rotary_base">();
  if (const auto factor = arguments.get<"rotary_seq_len_interpolation_factor">()) {
    rope.interpolation_factor = static_cast<double>(*factor);
  }
  if (arguments.get<"use_rope_scaling">()) {
    rope.llama_scaling = kernels::LlamaRopeScaling{.factor = arguments.get<"rope_scaling_factor">()};
  }
  rope.interleaved = arguments.get<"rotary_interleaved">();
  return rope;
}

/// Megatron's fusions are switched one by one; Primus' own kernels also need `enable_primus_turbo`.
kernels::KernelOptions kernels_from(const Arguments& arguments) {
  const bool turbo = arguments.get<"enable_primus_turbo">();
  const bool gated = arguments.get<"swiglu">() || arguments.get<"quick_geglu">();
  kernels::KernelOptions kernels;
  kernels.fused_linear = turbo && arguments.get<"use_turbo_gemm">();
  kernels.fused_attention = turbo && arguments.get<"use_turbo_attention">();
  // The original has a switch for RMSNorm only.
  kernels.fused_norm =
      turbo && (arguments.get<"use_turbo_rms_norm">() || arguments.get<"normalization">() != "RMSNorm");
  kernels.fused_activation =
      gated ? arguments.get<"bias_swiglu_fusion">() : arguments.get<"bias_gelu_fusion">();
  kernels.fused_rope = arguments.get<"apply_rope_fusion">();
  kernels.fused_dropout = arguments.get<"bias_dropout_fusion">();
  kernels.fused_cross_entropy = arguments.get<"cross_entropy_loss_fusion">();
  kernels.fused_embedding = turbo;
  return kernels;
}

/// For each layer how many earlier tokens a query sees; nothing when no layer has a window. Attention is
/// causal, so that the window's right side is of no account.
std::vector<std::int64_t> attention_windows_from(const Arguments& arguments, std::int64_t num_layers) {
  const std::vector<std::int64_t> size = arguments.get<"window_size">();
  if (size.empty()) return {};
  if (size.size() != 2) {
    throw UserError(arguments.where<"window_size">(),
                    fmt::format("'window_size' takes two numbers, [left, right]; it has {}", size.size()));
  }
  const auto pattern = arguments.get<"window_attn_skip_freq">();
  if (pattern && !pattern->layers.empty() &&
      static_cast<std::int64_t>(pattern->layers.size()) != num_layers) {
    throw UserError(arguments.where<"window_attn_skip_freq">(),
                    fmt::format("'window_attn_skip_freq' lists {} layers, and 'num_layers' is {}",
                                pattern->layers.size(), num_layers));
  }
  std::vector<std::int64_t> windows;
  for (std::int64_t layer = 0; layer < num_layers; ++layer) {
    const bool listed = pattern && !pattern->layers.empty();
    const bool windowed = !pattern || (listed ? pattern->layers[static_cast<std::size_t>(layer)] != 0
                                              : (layer + 1) % pattern->every != 0);
    windows.push_back(windowed ? size[0] : -1);
  }
  return windows;
}

at::ScalarType params_dtype_from(const Arguments& arguments) {
  return arguments.get<"bf16">() ? at::kBFloat16 : at::kFloat;
}

/// Rows that `padded_vocab_size` asks for are the model's own; tensor parallelism may add to them.
void set_vocabulary(const Arguments& arguments, std::int64_t tokenizer_size, TransformerConfig& config) {
  const auto rows = arguments.get<"padded_vocab_size">();
  if (rows && *rows < tokenizer_size)
    throw UserError(arguments.where<"padded_vocab_size">(),
                    fmt::format("'padded_vocab_size' is {}, and the tokenizer has {} entries: it must be at "
                                "least as many",
                                *rows, tokenizer_size));
  const std::int64_t divisible_by = rows ? 1 : arguments.get<"make_vocab_size_divisible_by">();
  config.vocab_size = rows.value_or(tokenizer_size);
  config.padded_vocab_size = config::padded_vocabulary_size(config.vocab_size, divisible_by,
                                                            arguments.get<"tensor_model_parallel_size">());
}

}  // namespace

TransformerConfig transformer_config_from(const Arguments& arguments, std::int64_t vocab_size) {
  TransformerConfig config;
  config.num_layers = arguments.get<"num_layers">();
  config.hidden_size = arguments.get<"hidden_size">();
  config.num_attention_heads = arguments.get<"num_attention_heads">();
  config.num_query_groups = query_groups_from(arguments, config.num_attention_heads);
  config.kv_channels = arguments.get<"kv_channels">().value();
  config.ffn_hidden_size = arguments.get<"ffn_hidden_size">().value();
  set_vocabulary(arguments, vocab_size, config);
  config.max_position_embeddings = arguments.get<"max_position_embeddings">();

  config.position_embedding = position_embedding_from(arguments);
  config.rope = rope_from(arguments, config.kv_channels);
  config.normalization =
      arguments.get<"normalization">() == "RMSNorm" ? Normalization::rms_norm : Normalization::layer_norm;
  config.layernorm_epsilon = arguments.get<"layernorm_epsilon">();
  config.layernorm_zero_centered_gamma =
      arguments.get<"layernorm_zero_centered_gamma">() || arguments.get<"apply_layernorm_1p">();
  config.activation = activation_from(arguments);
  config.add_bias_linear = arguments.get<"add_bias_linear">();
  config.add_qkv_bias = arguments.get<"add_qkv_bias">();
  config.qk_layernorm = arguments.get<"qk_layernorm">();
  config.untie_embeddings_and_output_weights = arguments.get<"untie_embeddings_and_output_weights">();
  config.attn_logit_softcapping = arguments.get<"attn_logit_softcapping">().value_or(0.0);
  config.attention_windows = attention_windows_from(arguments, config.num_layers);
  config.final_logit_softcapping = arguments.get<"final_logit_softcapping">().value_or(0.0);

  config.hidden_dropout = arguments.get<"hidden_dropout">();
  config.attention_dropout = arguments.get<"attention_dropout">();
  config.init_method_std = arguments.get<"init_method_std">();
  config.seed = static_cast<std::uint64_t>(arguments.get<"seed">());
  config.params_dtype = params_dtype_from(arguments);
  config.kernels = kernels_from(arguments);
  blame(arguments.where<"rotary_percent", "kv_channels", "num_attention_heads", "hidden_size">(),
        [&] { check(config); });
  return config;
}

namespace {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// Throws UserError when the arguments make another model than `config`.
void check_made(const TransformerConfig& config, const NamedValues& arguments) {
  std::string yaml = "micro_batch_size: 1\nseq_length: 1\nlr: 1.0\n";  // Needed beside those of the model.
  for (const auto& [name, value] : arguments) yaml += fmt::format("{}: {}\n", name, value);
  const auto made = transformer_config_from(Arguments::from_yaml(yaml), config.vocab_size);
  std::vector<std::string> fields;
  for (const Difference& difference : differences(config, made))
    fields.push_back(fmt::format("{} {}", difference.argument, difference.theirs));
  if (!fields.empty())
    throw_user_error("no combination of arguments gives a model with {}", fmt::join(fields, ", "));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> arguments_from(const TransformerConfig& config) {
  NamedValues arguments;
  const auto add = [&](const char* name, const auto& value) {
    arguments.emplace_back(name, fmt::format("{}", value));
  };
  add("num_layers", config.num_layers);
  add("hidden_size", config.hidden_size);
  add("ffn_hidden_size", config.ffn_hidden_size);
  add("num_attention_heads", config.num_attention_heads);
  add("group_query_attention", config.num_query_groups != config.num_attention_heads);
  add("num_query_groups", config.num_query_groups);
  add("kv_channels", config.kv_channels);
  add("max_position_embeddings", config.max_position_embeddings);
  add("position_embedding_type", "rope");
  add("rotary_base", config.rope.base);
  add("rotary_percent", static_cast<double>(config.rope.dim) / static_cast<double>(config.kv_channels));
  const bool interpolated = config.rope.interpolation_factor != 1.0;
  add("rotary_seq_len_interpolation_factor",
      interpolated ? fmt::format("{:.0f}", config.rope.interpolation_factor) : "null");
  add("use_rope_scaling", config.rope.llama_scaling.has_value());
  if (config.rope.llama_scaling) add("rope_scaling_factor", config.rope.llama_scaling->factor);
  add("normalization", "RMSNorm");
  add("norm_epsilon", config.layernorm_epsilon);
  add("layernorm_epsilon", config.layernorm_epsilon);
  add("swiglu", true);
  add("add_bias_linear", config.add_bias_linear);
  add("add_qkv_bias", config.add_qkv_bias);
  add("qk_layernorm", config.qk_layernorm);
  add("untie_embeddings_and_output_weights", config.untie_embeddings_and_output_weights);
  add("hidden_dropout", config.hidden_dropout);
  add("attention_dropout", config.attention_dropout);
  add("bf16", config.params_dtype != at::kFloat);
  add("padded_vocab_size", config.vocab_size);
  check_made(config, arguments);
  return arguments;
}

}  // namespace primus::model
