#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/group.h"

namespace primus::parallel {

// Moves of activations between the regions of tensor parallelism, with their gradients (Megatron's mappings;
// Shoeybi et al., "Megatron-LM", 2019, and Korthikanti et al., "Reducing Activation Recomputation", 2022):
//
//   tensor region     every rank holds all tokens, and works on its part of the heads or columns
//   sequence region   every rank holds its part of the tokens (dimension 0), whole in the other dimensions
//
// A group of one rank makes each of them the identity.

/// Identity; the gradients of all ranks are summed.
at::Tensor copy_to_tensor_region(const at::Tensor& x, const Group& group);

/// Sum over the ranks; the gradient passes unchanged.
at::Tensor reduce_from_tensor_region(const at::Tensor& x, const Group& group);

/// The ranks' parts side by side along the last dimension; of the gradient each rank takes its part.
at::Tensor gather_from_tensor_region(const at::Tensor& x, const Group& group);

/// This rank's part of dimension 0; the gradients' parts are gathered.
at::Tensor scatter_to_sequence_region(const at::Tensor& x, const Group& group);

/// All parts of dimension 0, for a computation whose ranks each give a part of the gradient: those are summed
/// and scattered.
at::Tensor gather_from_sequence_region(const at::Tensor& x, const Group& group);

/// This rank's part of the sum over the ranks; the gradients' parts are gathered.
at::Tensor reduce_scatter_to_sequence_region(const at::Tensor& x, const Group& group);

}  // namespace primus::parallel
