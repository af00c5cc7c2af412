#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/gpt_model.h"

namespace primus::model {

/// How the next token is chosen from the logits.
struct SamplingOptions {
  /// Logits are divided by it; 0: always the most probable token.
  double temperature = 1.0;
  /// Sample from this many most probable tokens; 0: all.
  std::int64_t top_k = 0;
  /// Only the most probable tokens that together have this probability (Holtzman et al., 2020).
  double top_p = 1.0;
  std::uint64_t seed = 1234;
};

/// Throws UserError that names the option at fault.
void check(const SamplingOptions& options);

/// The token chosen for logits [v]; `index` numbers the draws of one seed.
std::int64_t sample_token(const at::Tensor& logits, const SamplingOptions& options, std::uint64_t index);

struct GenerationOptions {
  SamplingOptions sampling = {};
  std::int64_t max_new_tokens = 64;
  /// Ends the text; it is not reported.
  std::optional<std::int64_t> end_token = {};
  /// Only ids below it are chosen: a model may have more rows than its tokenizer has entries. Nothing: all of
  /// the model's.
  std::optional<std::int64_t> vocab_size = {};
};

/// Throws UserError when the prompt is empty, too long for the model, or holds ids outside its vocabulary.
void check_prompt(const TransformerConfig& config, const std::vector<std::int64_t>& prompt);

/// Continues a prompt token by token with cached keys; `on_token` gets each new token at once. Stops at the
/// end token, after max_new_tokens, or at the model's max_position_embeddings. Rows that pad the vocabulary
/// are never chosen. Throws UserError as check and check_prompt do, before the first token, and for weights
/// that are NaN or infinite; Error when logits are and the weights are not.
void generate(const GPTModel& model, const std::vector<std::int64_t>& prompt,
              const GenerationOptions& options, const std::function<void(std::int64_t)>& on_token);

}  // namespace primus::model
