#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/batch.h"
#include "model/gpt_model.h"

namespace primus::train {

/// A micro-batch as the model takes it, and the mask of its loss, fp32 [b, s].
struct MicroBatch {
  model::ModelInput input;
  at::Tensor loss_mask;
};

/// Copies a batch into tensors on `device`. Positions are left out where they count from 0 in every sample,
/// so that rotations are computed once for all samples.
MicroBatch to_micro_batch(const data::Batch& batch, const at::Device& device);

}  // namespace primus::train
