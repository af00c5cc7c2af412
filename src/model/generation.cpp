#include "model/generation.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

#include "core/error.h"
#include "kernels/random.h"

namespace primus::model {

void check(const SamplingOptions& options) {
  if (!(options.temperature >= 0.0))
    throw_user_error("temperature is {}: it must not be negative", options.temperature);
  if (options.top_k < 0) throw_user_error("top_k is {}: it must not be negative", options.top_k);
  if (!(options.top_p > 0.0 && options.top_p <= 1.0)) {
    throw_user_error("top_p is {}: it must be above 0 and at most 1", options.top_p);
  }
}

std::int64_t sample_token(const at::Tensor& logits, const SamplingOptions& options, std::uint64_t index) {
  if (options.temperature == 0.0) return logits.argmax().item<std::int64_t>();
  const auto [sorted, order] = at::sort(logits.to(at::kDouble), /*dim=*/-1, /*descending=*/true);
  const std::int64_t kept = options.top_k > 0 ? std::min(options.top_k, sorted.size(0)) : sorted.size(0);
  const at::Tensor probabilities = at::softmax(sorted.slice(0, 0, kept) / options.temperature, -1);
  const double* p = probabilities.const_data_ptr<double>();
  // The nucleus: the shortest run of the most probable tokens that reaches top_p.
  double mass = 0.0;
  std::int64_t nucleus = 0;
  while (nucleus < kept && mass < options.top_p) mass += p[nucleus++];
  double rest = kernels::uniform_at({options.seed, "generate"}, index) * mass;
  std::int64_t chosen = 0;
  while (chosen + 1 < nucleus && rest >= p[chosen]) rest -= p[chosen++];
  return order[chosen].item<std::int64_t>();
}

void check_prompt(const TransformerConfig& config, const std::vector<std::int64_t>& prompt) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  if (prompt.empty()) throw UserError("the prompt has no token; give it some text");
  if (length >= config.max_position_embeddings) {
    throw_user_error("the prompt has {} tokens; this model has {} positions (max_position_embeddings)",
                     length, config.max_position_embeddings);
  }
  for (const std::int64_t token : prompt) {
    if (token < 0 || token >= config.vocab_size) {
      throw_user_error("the prompt holds token {}, but the model's vocabulary has {}: is this its tokenizer?",
                       token, config.vocab_size);
    }
  }
}

namespace {

/// Throws when logits are not numbers, so that nothing is sampled from them.
void require_finite_logits(const at::Tensor& logits, const GPTModel& model) {
  if (at::isfinite(logits).all().item<bool>()) return;
  for (const auto& parameter : model.parameters().all()) {
    if (!at::isfinite(parameter->weight.value).all().item<bool>()) {
      throw_user_error("{} holds NaN or infinity: the model is damaged, or its training has diverged",
                       parameter->name());
    }
  }
  throw Error("the logits are NaN or infinite although all weights are finite: an activation has overflowed");
}

}  // namespace

void generate(const GPTModel& model, const std::vector<std::int64_t>& prompt,
              const GenerationOptions& options, const std::function<void(std::int64_t)>& on_token) {
  const at::NoGradGuard no_grad;
  const TransformerConfig& config = model.config();
  check(options.sampling);
  check_prompt(config, prompt);
  const std::int64_t room = config.max_position_embeddings - static_cast<std::int64_t>(prompt.size());
  const std::int64_t count = std::min(options.max_new_tokens, room);
  const std::int64_t vocab_size = std::min(config.vocab_size, options.vocab_size.value_or(config.vocab_size));
  KeyValueCache cache = model.make_cache();
  at::Tensor tokens = at::tensor(prompt, at::kLong).unsqueeze(0);
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor logits = model.logits({.tokens = tokens, .cache = &cache});
    const at::Tensor last = logits[0][-1].slice(0, 0, vocab_size);
    require_finite_logits(last, model);
    const std::int64_t token = sample_token(last, options.sampling, static_cast<std::uint64_t>(i));
    if (token == options.end_token) return;
    on_token(token);
    tokens = at::full({1, 1}, token, at::kLong);
  }
}

}  // namespace primus::model
