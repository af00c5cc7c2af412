#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace primus::kernels::cpu {

bool covers_embedding(const at::Tensor& weight);

/// Row ids - first_row of weight [v, h] for each id, zeros for ids that it does not hold; [..., h]. No
/// autograd.
at::Tensor gather_rows(const at::Tensor& weight, const at::Tensor& ids, std::int64_t first_row);

/// main_grad[ids[i] - first_row] += dy[i], in the order of i, in fp32: main_grad [v, h] contiguous. Threads
/// share the columns, so rows that come again need no lock and the sum does not depend on their number.
void add_rows(const at::Tensor& main_grad, const at::Tensor& ids, const at::Tensor& dy,
              std::int64_t first_row);

}  // namespace primus::kernels::cpu
