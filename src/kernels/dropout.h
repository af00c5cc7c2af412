#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

/// Names the random numbers of one dropout: the mask depends on nothing but (key, global token, global
/// column), so every layout of ranks, and recomputation, draws the same one.
struct DropoutKey {
  /// Key of the stream: `RandomStream(seed, "dropout/<step>/<layer>/<site>").key`.
  std::uint64_t key = 0;
  /// int64 [s, b]: the number of each token within the global batch, sample · sequence length + position.
  at::Tensor token_index = {};
  /// Where this rank's columns lie in the whole: local column c is column first_column + c of `columns`.
  std::int64_t first_column = 0;
  std::int64_t columns = 0;
};

/// Whether element `index` of the stream survives dropout with probability `p`: word index % 4 of
/// philox(key, index / 4, 2), as a fraction of 2^32, is not below p.
bool dropout_keeps(std::uint64_t key, std::uint64_t index, double p);

/// The factors of dropout, fp32 [..., count] for first_index int64 [...]: element c of a row has index
/// first_index + c and is 0 with probability `p`, else 1 / (1 - p).
at::Tensor dropout_factors(std::uint64_t key, const at::Tensor& first_index, std::int64_t count, double p);

/// x [s, b, n] with each element zero with probability `p`, else divided by 1 - p. Element (i, j, c) has
/// index token_index[i, j] · columns + first_column + c. The mask is drawn anew in the backward.
at::Tensor dropout(const at::Tensor& x, double p, const DropoutKey& key, const KernelOptions& options = {});

/// residual + dropout(x + bias), Megatron's bias-dropout-add. x and residual [s, b, h], bias [h]. With p = 0
/// `key` is not looked at. Returns residual's dtype.
at::Tensor bias_dropout_add(const at::Tensor& x, const std::optional<Weight>& bias,
                            const at::Tensor& residual, double p, const DropoutKey& key,
                            const KernelOptions& options = {});

}  // namespace primus::kernels
