#include "plan/memory.h"

#include <c10/core/ScalarType.h>

#include "kernels/cpu/cross_entropy.h"
#include "model/analysis.h"

namespace primus::plan {

StepMemory predict_step_memory(const model::TransformerConfig& config, std::int64_t micro_batch_size,
                               std::int64_t seq_length) {
  const auto element = static_cast<std::int64_t>(c10::elementSize(config.params_dtype));
  const std::int64_t tokens = micro_batch_size * seq_length;
  constexpr std::int64_t fp32 = 4;
  const std::int64_t remainder = config.params_dtype == at::kFloat ? 0 : 2;
  const std::int64_t all_logits = tokens * config.padded_vocab_size * element;
  return {.weights_and_states = model::parameter_count(config) * (element + fp32 + remainder + 2 * fp32),
          .activations = tokens * model::activation_bytes_per_token(config, seq_length, element),
          .logits = std::min(all_logits, kernels::cpu::logit_chunk_bytes)};
}

}  // namespace primus::plan
