#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/options.h"
#include "kernels/weight.h"
#include "parallel/group.h"

namespace primus::parallel {

/// y = x·Wᵀ (+ bias) where each rank of the group holds some rows of W. x [s, b, in] on every rank; with
/// `sequence_parallel` each rank gives its part of the tokens, [s / size, b, in]. Returns [s, b, out / size].
///
/// The gradient of x, a sum over the ranks, is communicated while the weight's gradient is computed; with
/// sequence parallelism x is gathered anew for it, meanwhile the gradient of x is computed, and only this
/// rank's part of x is kept from the forward pass.
at::Tensor column_linear(const at::Tensor& x, const kernels::Weight& weight,
                         const std::optional<kernels::Weight>& bias, const Group& group,
                         bool sequence_parallel, const kernels::KernelOptions& options);

}  // namespace primus::parallel
