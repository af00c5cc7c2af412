#pragma once

#include <ATen/core/Tensor.h>

namespace primus::kernels {

/// What norms, softmax and losses are computed in: fp32, or fp64 when the input is (gradient checks).
inline at::ScalarType compute_dtype(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace primus::kernels
