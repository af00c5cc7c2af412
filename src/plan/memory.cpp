#include "plan/memory.h"

#include <c10/core/ScalarType.h>

#include "kernels/cpu/cross_entropy.h"
#include "model/flops.h"

namespace primus::plan {

namespace {

/// Per token and layer. The inputs of norms, linears, attention and activation, each kept once; the second
/// linear of the MLP makes its input again.
std::int64_t layer_bytes(const model::TransformerConfig& config, std::int64_t element) {
  const std::int64_t h = config.hidden_size, f = config.ffn_hidden_size;
  const std::int64_t context = config.num_attention_heads * config.kv_channels;
  const std::int64_t normed_and_residual = 4 * h;
  const std::int64_t mlp = f * (config.gated() ? 2 : 1);
  const std::int64_t statistics = 4 * (config.num_attention_heads + 4);
  return element * (normed_and_residual + config.qkv_size() + context + mlp) + statistics;
}

}  // namespace

StepMemory predict_step_memory(const model::TransformerConfig& config, std::int64_t micro_batch_size,
                               std::int64_t seq_length) {
  const auto element = static_cast<std::int64_t>(c10::elementSize(config.params_dtype));
  const std::int64_t tokens = micro_batch_size * seq_length;
  constexpr std::int64_t fp32 = 4;
  const std::int64_t remainder = config.params_dtype == at::kFloat ? 0 : 2;
  const std::int64_t all_logits = tokens * config.padded_vocab_size * element;
  return {.weights_and_states = model::parameter_count(config) * (element + fp32 + remainder + 2 * fp32),
          .activations =
              tokens * (config.num_layers * layer_bytes(config, element) + 2 * config.hidden_size * element),
          .logits = std::min(all_logits, kernels::cpu::logit_chunk_bytes)};
}

}  // namespace primus::plan
