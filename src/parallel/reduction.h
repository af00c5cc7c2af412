#pragma once

#include <ATen/core/Tensor.h>

namespace primus::parallel {

enum class Reduction { sum, average, maximum };

/// Combines the contributions of all ranks, in rank order: `out = parts[0] + parts[1] + ...` (or their
/// average or maximum). 16-bit types are summed in fp32 and rounded once. Because the order is that of the
/// ranks, and not that of some ring, a reduced number never depends on how tensors were cut into buckets or
/// shards.
///
/// `parts`: [ranks, n...] contiguous; `out`: n... contiguous, of the same dtype, and may be the memory of one
/// of the parts. Float, double, half, bfloat16, int and long; throws Error for other types.
void reduce_in_rank_order(const at::Tensor& out, const at::Tensor& parts, Reduction reduction);

/// The same, to the last bit, by libtorch's operators: what `reduce_in_rank_order` does with tensors that are
/// not on the CPU.
void reduce_with_operators(const at::Tensor& out, const at::Tensor& parts, Reduction reduction);

}  // namespace primus::parallel
