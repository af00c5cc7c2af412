#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Columns of a panel: the width at which the micro-kernel is fastest.
inline constexpr std::int64_t panel_width = 64;
/// Longest sum that is computed at a time. A packed panel of that length leaves room for the rows in the
/// second-level cache; fp32 sums are cut shorter, because their own rounding would grow to show.
template <class T>
inline constexpr std::int64_t panel_length = sizeof(T) == 2 ? 3072 : 384;
/// Rows per call of the micro-kernel.
inline constexpr std::int64_t row_block = 128;

/// c [m, n] = a [m, k] · b (+ bias [n]), in T; products of P, which is T or wider, sums in fp32. b is [k, n],
/// or [n, k] when `b_transposed`. Row strides in elements; k and the strides of a and of a transposed b are
/// multiples of pair_size<P>.
template <class T, class P>
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  const T* a = nullptr;
  std::int64_t lda = 0;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  bool b_transposed = false;
  const T* bias = nullptr;
  T* c = nullptr;
  std::int64_t ldc = 0;

  std::int64_t length() const { return k < panel_length<P> ? k : panel_length<P>; }
  /// Panels that are packed at a time, so that rows once read serve several of them.
  std::int64_t group() const {
    const std::int64_t fitting = 3072 / length();
    return fitting < 1 ? 1 : fitting > 4 ? 4 : fitting;
  }
  std::int64_t groups() const {
    const std::int64_t columns = group() * panel_width;
    return (n + columns - 1) / columns;
  }
  /// 32-bit words that a task of `rows` rows needs.
  std::int64_t scratch_words(std::int64_t rows) const {
    const std::int64_t widened = std::is_same_v<T, P> ? 0 : row_block * length();
    return group() * panel_width * (length() + rows) + widened;
  }
};

/// Computes the columns of one group of panels in rows first_row .. first_row + rows.
template <Isa isa, class T, class P>
void gemm_group(const Gemm<T, P>& call, std::int64_t first_row, std::int64_t rows, std::int64_t group,
                float* scratch);

/// Tokens summed over at a time: a block of dyᵀ of that length and a panel of x stay in the second-level
/// cache.
template <class P>
inline constexpr std::int64_t token_chunk = 4096 / sizeof(P);

/// gradient [out, in] += dyᵀ·x, the sum over the rows of dy [tokens, out] and x [tokens, in], in fp32;
/// products of P.
template <class T, class P>
struct WeightGradient {
  std::int64_t tokens = 0;
  std::int64_t out = 0;
  std::int64_t in = 0;
  const T* dy = nullptr;
  std::int64_t dy_stride = 0;
  const T* x = nullptr;
  std::int64_t x_stride = 0;
  float* gradient = nullptr;
  std::int64_t gradient_stride = 0;
  /// [panels, tokens_padded, panel_width]: x packed by weight_gradient_pack.
  P* packed_x = nullptr;

  std::int64_t panels() const { return (in + panel_width - 1) / panel_width; }
  std::int64_t blocks() const { return (out + row_block - 1) / row_block; }
  /// Whole units, so that pairs of bf16 are complete.
  std::int64_t tokens_padded() const { return (tokens + 1) / 2 * 2; }
  std::int64_t scratch_words() const { return row_block * (token_chunk<P> + 32); }
};

/// Packs one panel of x.
template <Isa isa, class T, class P>
void weight_gradient_pack(const WeightGradient<T, P>& call, std::int64_t panel);

/// Adds to the rows block · row_block ... of the gradient.
template <Isa isa, class T, class P>
void weight_gradient_block(const WeightGradient<T, P>& call, std::int64_t block, float* scratch);

}  // namespace primus::kernels::cpu
