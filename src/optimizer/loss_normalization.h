#pragma once

#include <algorithm>
#include <cstdint>

namespace primus::optimizer {

/// How the losses of single tokens become the objective whose gradient is followed; the only place that
/// divides by micro-batches, ranks or tokens.
///
/// Megatron's default: the mean over the micro-batches of all ranks of each one's mean over its tokens, so
/// that tokens of micro-batches with few of them weigh more. With `calculate_per_token_loss`: the mean over
/// all tokens of the global batch, whose number is known only when all micro-batches have run.
struct LossNormalization {
  bool calculate_per_token_loss = false;
  /// The data-parallel ranks, context-parallel ones included, whose gradients are summed.
  int ranks = 1;

  /// Of each token's loss in a micro-batch with `tokens` of them that count, of `num_microbatches` on a rank.
  double token_weight(double tokens, std::int64_t num_microbatches) const {
    if (calculate_per_token_loss) return 1.0;
    return 1.0 / (std::max(tokens, 1.0) * static_cast<double>(num_microbatches));
  }
  /// Divides a rank's gradients before they are summed over the ranks.
  int rank_divisor() const { return calculate_per_token_loss ? 1 : ranks; }
  /// Multiplies the summed gradients. `tokens`: of the global batch.
  double gradient_scale(double tokens) const {
    return calculate_per_token_loss ? 1.0 / std::max(tokens, 1.0) : 1.0;
  }
};

}  // namespace primus::optimizer
