#pragma once

#include <cstdint>

#include "kernels/cpu/allocator.h"
#include "model/transformer_config.h"

namespace primus::plan {

/// Bytes of one process that trains the whole model with fused kernels and Adam.
struct StepMemory {
  /// Weights, fp32 main gradients, two fp32 moments, and where weights are bf16 the 16 bits that make them
  /// fp32 main weights.
  std::int64_t weights_and_states = 0;
  /// What forward keeps for backward.
  std::int64_t activations = 0;
  /// Logits of one chunk of tokens.
  std::int64_t logits = 0;

  std::int64_t tensors() const { return weights_and_states + activations + logits; }
  /// What the allocator holds beyond that: a thirty-second in gaps between blocks, as measured on the shapes
  /// of docs/performance.md, and part of a segment.
  std::int64_t gaps() const { return tensors() / 32 + kernels::cpu::allocator_segment_bytes; }
  std::int64_t total() const { return tensors() + gaps(); }
};

/// What a step of `micro_batch_size` sequences will need; what the program itself takes comes on top.
StepMemory predict_step_memory(const model::TransformerConfig& config, std::int64_t micro_batch_size,
                               std::int64_t seq_length);

}  // namespace primus::plan
