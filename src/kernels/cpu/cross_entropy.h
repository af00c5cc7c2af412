#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/cpu/features.h"
#include "kernels/cross_entropy.h"

namespace primus::kernels::cpu {

bool covers_cross_entropy(const at::Tensor& logits);

/// kernels::cross_entropy with one pass over the logits forward and one backward.
at::Tensor fused_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                               const VocabularyShard& shard, Isa isa = best_isa());

/// Logits exist for so many bytes' worth of tokens at a time: enough that adding to the weight's gradient,
/// once per chunk, costs little beside the products.
constexpr std::int64_t logit_chunk_bytes = std::int64_t{64} << 20U;

/// kernels::linear_cross_entropy_with_gradients chunk by chunk: the logits of a chunk become gradients where
/// they lie, and those of hidden states and weight are taken from them at once (after Liger's fused linear
/// cross entropy, Hsu et al. 2024). Without a `loss_gradient` the losses alone.
OutputLayerLoss fused_linear_cross_entropy(const at::Tensor& hidden, const Weight& weight,
                                           const at::Tensor& labels, const at::Tensor& loss_gradient,
                                           const VocabularyShard& shard, double softcap,
                                           const KernelOptions& options,
                                           std::int64_t chunk_bytes = logit_chunk_bytes,
                                           Isa isa = best_isa());

}  // namespace primus::kernels::cpu
