#pragma once

#include <cstdint>

#include "kernels/activation.h"
#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// y [rows, size] = activation(x + bias); x and bias have twice the width for gated kinds, the gate first.
/// All contiguous; computed in fp32.
template <class T>
struct ActivationCall {
  Activation kind = Activation::gelu;
  std::int64_t size = 0;
  const T* x = nullptr;
  const T* bias = nullptr;
  T* y = nullptr;
  /// Backward only; then y is optional, and may be dy's memory.
  const T* dy = nullptr;
  T* dx = nullptr;
};

template <Isa isa, class T>
void activation_forward(const ActivationCall<T>& call, std::int64_t first_row, std::int64_t last_row);

/// Adds these rows' share of the bias gradient to bias_gradient (x's width), unless it is null.
template <Isa isa, class T>
void activation_backward(const ActivationCall<T>& call, std::int64_t first_row, std::int64_t last_row,
                         float* bias_gradient);

}  // namespace primus::kernels::cpu
