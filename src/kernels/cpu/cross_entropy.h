#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/cpu/features.h"
#include "kernels/cross_entropy.h"

namespace primus::kernels::cpu {

bool covers_cross_entropy(const at::Tensor& logits);

/// kernels::cross_entropy with one pass over the logits forward and one backward.
at::Tensor fused_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                               const VocabularyShard& shard, Isa isa = best_isa());

/// How linear_cross_entropy trades memory for time.
struct LogitMemory {
  /// Logits are made for so many tokens at a time.
  std::int64_t chunk_bytes = std::int64_t{64} << 20U;
  /// Up to so many bytes of logits are kept for the backward, which turns them into gradients where they lie;
  /// those of further tokens are made again.
  std::int64_t kept_bytes = std::int64_t{256} << 20U;
};

/// kernels::linear_cross_entropy chunk by chunk.
at::Tensor fused_linear_cross_entropy(const at::Tensor& hidden, const Weight& weight,
                                      const at::Tensor& labels, const VocabularyShard& shard, double softcap,
                                      const KernelOptions& options, const LogitMemory& memory = {},
                                      Isa isa = best_isa());

}  // namespace primus::kernels::cpu
