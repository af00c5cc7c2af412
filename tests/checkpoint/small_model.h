#pragma once

#include <ATen/Functions.h>

#include <string>
#include <vector>

#include "parallel/tensor_piece.h"

namespace primus::checkpoint {

/// A tensor that one rank holds whole.
inline parallel::TensorPiece whole(const std::string& name, const at::Tensor& data) {
  return {.name = name,
          .global_shape = data.sizes().vec(),
          .offset = std::vector<std::int64_t>(data.dim(), 0),
          .extent = data.sizes().vec(),
          .flat_begin = 0,
          .flat_end = data.numel(),
          .data = data};
}

/// Three small tensors, in two dtypes, full of one number.
inline std::vector<parallel::TensorPiece> small_model(double fill = 1.0) {
  return {whole("embedding", at::full({4, 3}, fill, at::kBFloat16)), whole("norm", at::full({3}, fill)),
          whole("scalar", at::full({}, fill))};
}

}  // namespace primus::checkpoint
