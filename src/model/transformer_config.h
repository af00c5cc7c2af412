#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/activation.h"
#include "kernels/options.h"
#include "kernels/rope.h"

namespace primus::config {
class Arguments;
}

namespace primus::model {

enum class Normalization { layer_norm, rms_norm };
enum class PositionEmbedding { none, learned_absolute, rope };

/// What a GPT-family model is. Names are Megatron's; the defaults are those of its small GPT.
struct TransformerConfig {
  std::int64_t num_layers = 24;
  std::int64_t hidden_size = 1024;
  std::int64_t num_attention_heads = 16;
  /// Key/value heads; equal to num_attention_heads without grouped queries.
  std::int64_t num_query_groups = 16;
  /// Size of one head.
  std::int64_t kv_channels = 64;
  /// Width of the MLP, of one branch when gated.
  std::int64_t ffn_hidden_size = 4096;
  /// Tokens that exist, and rows of the embedding table: rounded up so that ranks share them evenly.
  std::int64_t vocab_size = 0;
  std::int64_t padded_vocab_size = 0;
  std::int64_t max_position_embeddings = 1024;

  PositionEmbedding position_embedding = PositionEmbedding::rope;
  /// Used with PositionEmbedding::rope.
  kernels::RopeConfig rope = {};
  Normalization normalization = Normalization::rms_norm;
  double layernorm_epsilon = 1e-5;
  /// The norms' factors are 1 + weight.
  bool layernorm_zero_centered_gamma = false;
  kernels::Activation activation = kernels::Activation::swiglu;
  bool add_bias_linear = false;
  bool add_qkv_bias = false;
  /// Norms of each query and key head, before the rotation.
  bool qk_layernorm = false;
  /// > 0: attention scores become c·tanh(scores / c).
  double attn_logit_softcapping = 0.0;
  /// For each layer how many earlier tokens a query sees beside its own, negative for all; empty: no windows.
  std::vector<std::int64_t> attention_windows = {};
  /// > 0: logits become c·tanh(logits / c).
  double final_logit_softcapping = 0.0;
  bool untie_embeddings_and_output_weights = true;

  double hidden_dropout = 0.0;
  double attention_dropout = 0.0;
  /// Weights start as N(0, std²); those that write to the residual stream as N(0, std² / (2 num_layers)).
  double init_method_std = 0.02;
  std::uint64_t seed = 1234;

  at::ScalarType params_dtype = at::kFloat;
  kernels::KernelOptions kernels = {};

  std::int64_t attention_window(std::int64_t layer) const {
    return attention_windows.empty() ? -1 : attention_windows.at(static_cast<std::size_t>(layer));
  }
  std::int64_t heads_per_group() const { return num_attention_heads / num_query_groups; }
  /// Rows of the fused query-key-value projection: per group its queries, one key and one value.
  std::int64_t qkv_size() const { return num_query_groups * (heads_per_group() + 2) * kv_channels; }
  bool gated() const { return kernels::is_gated(activation); }
  /// Standard deviation of weights that write to the residual stream.
  double output_init_std() const;
};

/// Throws UserError that names the argument when numbers do not fit together.
void check(const TransformerConfig& config);

/// Attention's groups and the MLP's columns are given to tensor-parallel ranks whole: throws UserError that
/// names the argument when `ranks` cannot share them.
void check_shared_by(const TransformerConfig& config, int ranks);

/// The model that derived arguments describe. `vocab_size` is the tokenizer's. Throws UserError, with the
/// place in the user's file, when arguments contradict each other.
TransformerConfig transformer_config_from(const config::Arguments& arguments, std::int64_t vocab_size);

/// The reverse for models of the Llama family (rope, RMSNorm, swiglu): arguments with their values in YAML
/// that describe `config`, its dropout and dtype included. Throws UserError that names the fields at fault
/// when no arguments do.
std::vector<std::pair<std::string, std::string>> arguments_from(const TransformerConfig& config);

/// The architecture as JSON with Megatron's argument names, and back: how a checkpoint says which model it
/// holds. What is no part of it is left out: dtype, dropout, initialisation, kernels. Reading gives fields
/// that older programs did not write the value that they stood for, and throws UserError that names `source`
/// and the key at fault.
std::string to_json(const TransformerConfig& config);
TransformerConfig transformer_config_from_json(const std::string& text, const std::string& source);

/// An argument in which two models differ, with its values as JSON, or "not set".
struct Difference {
  std::string argument;
  std::string theirs;
  std::string ours;
};

/// Every argument in which two models are different functions, by the name that a user sets. How far the
/// vocabulary is padded is a matter of the layout.
std::vector<Difference> differences(const TransformerConfig& theirs, const TransformerConfig& ours);

/// Throws UserError naming the checkpoint and all differences when it holds another model than this run's.
void require_same(const TransformerConfig& checkpoint, const TransformerConfig& run,
                  const std::string& checkpoint_name);

}  // namespace primus::model
