#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/loader.h"
#include "model/gpt_model.h"

namespace primus::train {

/// A micro-batch as the model takes it.
struct MicroBatch {
  model::ModelInput input;
  /// fp32 [b, s]: which losses count.
  at::Tensor loss_mask;
  /// Numbers of its samples in the data, for messages.
  std::vector<std::int64_t> samples;
};

/// This rank's micro-batches of one iteration, fetched before it runs, so that it could be run again.
struct StepBatch {
  std::int64_t iteration = 0;
  std::vector<MicroBatch> micro_batches;
};

/// Where a rank's micro-batches lie in the global batch.
struct BatchShare {
  std::int64_t num_microbatches = 1;
  std::int64_t micro_batch_size = 1;
  std::int64_t data_parallel_rank = 0;
  std::int64_t data_parallel_size = 1;
};

/// Copies a batch into tensors on `device`. Positions are left out where they count from 0 in every sample,
/// so that rotations are computed once for all samples.
MicroBatch to_micro_batch(const data::Batch& batch, const at::Device& device);

/// The next iteration's micro-batches, to be trained on.
StepBatch fetch(data::DataLoader& loader, std::int64_t iteration, const BatchShare& share,
                const at::Device& device);

}  // namespace primus::train
