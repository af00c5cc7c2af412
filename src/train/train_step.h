#pragma once

#include <cstdint>

#include "data/loader.h"
#include "model/gpt_model.h"
#include "optimizer/loss_normalization.h"
#include "parallel/group.h"

namespace primus::train {

/// Σ loss and Σ tokens over micro-batches, in nats: their ratio is the loss that is reported, weighted by
/// tokens however gradients are.
struct LossSums {
  double loss = 0;
  double tokens = 0;

  double mean() const { return tokens > 0 ? loss / tokens : 0; }
};

struct StepSettings {
  std::int64_t iteration = 0;
  std::int64_t num_microbatches = 1;
  std::int64_t micro_batch_size = 1;
  std::int64_t data_parallel_rank = 0;
  std::int64_t data_parallel_size = 1;
  /// Of the world, for messages.
  int rank = 0;
  optimizer::LossNormalization normalization = {};
  bool check_for_nan_in_loss = true;
};

/// Runs forward and backward of this rank's micro-batches; gradients accumulate in the parameters' sinks.
/// Throws Error naming iteration and rank when a loss is NaN or Inf.
LossSums forward_backward(const model::GPTModel& model, data::DataLoader& loader,
                          const StepSettings& settings);

/// The sums over all ranks of a group, which read different samples.
LossSums sum_over(const parallel::Group& group, const LossSums& sums);

/// Runs forward alone, without dropout, on `num_microbatches` micro-batches.
LossSums forward_only(const model::GPTModel& model, data::DataLoader& loader, std::int64_t num_microbatches);

}  // namespace primus::train
