#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

/// Rows of a table by id. ids int64 [...], weight [v, h]; returns [..., h] in the weight's dtype. The weight
/// holds rows first_row .. first_row + v of a larger table: an id outside of these gives zeros and no
/// gradient, so that the sum over all holders is the lookup.
at::Tensor embedding(const at::Tensor& ids, const Weight& weight, std::int64_t first_row = 0,
                     const KernelOptions& options = {});

}  // namespace primus::kernels
