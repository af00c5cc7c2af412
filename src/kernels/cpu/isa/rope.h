#pragma once

#include <cstdint>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Rotates heads: x [tokens, samples, groups, heads, size] with the strides given and the last one 1, y
/// contiguous.
template <class T>
struct Rotation {
  std::int64_t samples = 0;
  std::int64_t groups = 0;
  std::int64_t heads = 0;
  /// The first so many heads of each group turn, the rest pass.
  std::int64_t turning_heads = 0;
  std::int64_t size = 0;
  /// So many pairs of each head turn, the rest of it passes.
  std::int64_t pairs = 0;
  bool interleaved = false;
  /// -1 turns back.
  float direction = 1.0F;
  /// fp32 [tokens, samples or 1, pairs]
  const float* cos = nullptr;
  const float* sin = nullptr;
  bool per_sample = false;
  const T* x = nullptr;
  std::int64_t token_stride = 0;
  std::int64_t sample_stride = 0;
  std::int64_t group_stride = 0;
  std::int64_t head_stride = 0;
  T* y = nullptr;
};

template <Isa isa, class T>
void rotate_tokens(const Rotation<T>& call, std::int64_t first_token, std::int64_t last_token);

}  // namespace primus::kernels::cpu
