#pragma once

#include <cstdint>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Normalisation of rows [rows, size], all contiguous. Sums in fp32.
template <class T>
struct Norm {
  std::int64_t rows = 0;
  std::int64_t size = 0;
  /// LayerNorm: the mean is subtracted and a bias added. Otherwise RMSNorm.
  bool centered = false;
  /// The factor is 1 + weight.
  bool zero_centered = false;
  float epsilon = 0.0F;
  const T* x = nullptr;
  const T* weight = nullptr;
  const T* bias = nullptr;
  T* y = nullptr;
  /// fp32 [rows]: written by the forward, read by the backward. `mean` only when centered.
  float* mean = nullptr;
  float* inverse_deviation = nullptr;
  /// Backward only.
  const T* dy = nullptr;
  T* dx = nullptr;
};

template <Isa isa, class T>
void norm_forward(const Norm<T>& call, std::int64_t first_row, std::int64_t last_row);

/// Adds these rows' share to weight_gradient [size] and, when centered, bias_gradient [size].
template <Isa isa, class T>
void norm_backward(const Norm<T>& call, std::int64_t first_row, std::int64_t last_row, float* weight_gradient,
                   float* bias_gradient);

}  // namespace primus::kernels::cpu
