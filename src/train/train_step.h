#pragma once

#include <cstdint>
#include <functional>

#include "data/loader.h"
#include "model/gpt_model.h"
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
  /// See LoopSettings.
  bool calculate_per_token_loss = false;
  bool check_for_nan_in_loss = true;
  /// Called before the backward pass that completes the gradients; may be empty.
  std::function<void()> before_last_backward = {};
};

/// Runs forward and backward of this rank's micro-batches; gradients accumulate in the parameters' sinks.
/// Without `calculate_per_token_loss` every micro-batch's mean loss has the weight 1/num_microbatches, with
/// it every token has the weight 1 and the caller divides. Throws Error naming iteration and rank when a loss
/// is NaN or Inf.
LossSums forward_backward(const model::GPTModel& model, data::DataLoader& loader,
                          const StepSettings& settings);

/// The sums over all ranks of a group, which read different samples.
LossSums sum_over(const parallel::Group& group, const LossSums& sums);

/// Runs forward alone, without dropout, on `num_microbatches` micro-batches, and adds to `sums`.
void forward_only(const model::GPTModel& model, data::DataLoader& loader, std::int64_t num_microbatches,
                  LossSums& sums);

}  // namespace primus::train
