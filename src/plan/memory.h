#pragma once

#include <cstdint>

#include "model/transformer_config.h"

namespace primus::plan {

/// Bytes of one process that trains the whole model with fused kernels and Adam.
struct StepMemory {
  /// Weights, fp32 main gradients, two fp32 moments, and where weights are bf16 the 16 bits that make them
  /// fp32 main weights.
  std::int64_t weights_and_states = 0;
  /// What forward keeps for backward.
  std::int64_t activations = 0;
  /// Logits of the chunks that are kept, and what the loss needs beside them.
  std::int64_t logits = 0;

  std::int64_t total() const { return weights_and_states + activations + logits; }
};

/// What a step of `micro_batch_size` sequences will need; what the program itself takes comes on top.
StepMemory predict_step_memory(const model::TransformerConfig& config, std::int64_t micro_batch_size,
                               std::int64_t seq_length);

}  // namespace primus::plan
