#include "kernels/cpu/isa/activation.h"

#include <algorithm>

#include "kernels/cpu/isa/vector.h"

namespace primus::kernels::cpu {
namespace {

/// A function and its derivative at the same point.
struct ValueAndSlope {
  Vec value;
  Vec slope;
};

inline ValueAndSlope gelu(Vec x) {
  constexpr float inverse_sqrt_2 = 0.7071067811865476F;
  constexpr float inverse_sqrt_2_pi = 0.3989422804014327F;
  const Vec cumulative = Vec(0.5F) * (Vec(1.0F) + (x * Vec(inverse_sqrt_2)).erf());
  const Vec density = Vec(inverse_sqrt_2_pi) * exp(x * x * Vec(-0.5F));
  return {x * cumulative, at::vec::fmadd(x, density, cumulative)};
}

/// x·(1 + tanh(u)) / 2 is x·sigmoid(2u), which loses nothing where tanh is close to -1.
inline ValueAndSlope gelu_tanh(Vec x) {
  constexpr float sqrt_8_over_pi = 1.5957691216057308F;
  constexpr float cubic = 0.044715F;
  const Vec square = x * x;
  const Vec s = sigmoid(x * Vec(sqrt_8_over_pi) * at::vec::fmadd(square, Vec(cubic), Vec(1.0F)));
  const Vec inner_slope = Vec(sqrt_8_over_pi) * at::vec::fmadd(square, Vec(3.0F * cubic), Vec(1.0F));
  return {x * s, at::vec::fmadd(x * s * (Vec(1.0F) - s), inner_slope, s)};
}

inline ValueAndSlope relu(Vec x) {
  const Vec positive = x > Vec(0.0F);
  return {Vec::blendv(Vec(0.0F), x, positive), Vec::blendv(Vec(0.0F), Vec(1.0F), positive)};
}

inline ValueAndSlope squared_relu(Vec x) {
  const Vec positive = relu(x).value;
  return {positive * positive, Vec(2.0F) * positive};
}

inline ValueAndSlope silu(Vec x) {
  const Vec s = sigmoid(x);
  return {x * s, s * at::vec::fmadd(x, Vec(1.0F) - s, Vec(1.0F))};
}

/// x·sigmoid(1.702 x), the gate of GPT-OSS.
inline ValueAndSlope quick_gelu(Vec x) {
  const Vec factor(1.702F);
  const Vec s = sigmoid(factor * x);
  return {x * s, s * at::vec::fmadd(factor * x, Vec(1.0F) - s, Vec(1.0F))};
}

template <class T>
Vec load_with_bias(const ActivationCall<T>& call, const T* row, std::int64_t i, std::int64_t count) {
  const Vec x = load(row + i, count);
  return call.bias != nullptr ? x + load(call.bias + i, count) : x;
}

inline void add_to(float* sums, Vec value, std::int64_t i, std::int64_t count) {
  if (sums != nullptr) {
    store(sums + i, load(sums + i, count) + value, count);
  }
}

template <class T, class Function>
void plain_rows(const ActivationCall<T>& call, std::int64_t first, std::int64_t last, float* bias_gradient,
                const Function& function) {
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t start = row * call.size;
    for (std::int64_t i = 0; i < call.size; i += lanes) {
      const std::int64_t count = std::min(lanes, call.size - i);
      const ValueAndSlope at = function(load_with_bias(call, call.x + start, i, count));
      if (call.dy == nullptr) {
        store(call.y + start + i, at.value, count);
        continue;
      }
      const Vec dx = load(call.dy + start + i, count) * at.slope;
      store(call.dx + start + i, dx, count);
      if (call.y != nullptr) store(call.y + start + i, at.value, count);
      add_to(bias_gradient, dx, i, count);
    }
  }
}

template <class T, class Function>
void gated_rows(const ActivationCall<T>& call, std::int64_t first, std::int64_t last, float* bias_gradient,
                const Function& function) {
  const std::int64_t size = call.size;
  for (std::int64_t row = first; row < last; ++row) {
    const T* x = call.x + row * 2 * size;
    for (std::int64_t i = 0; i < size; i += lanes) {
      const std::int64_t count = std::min(lanes, size - i);
      const ValueAndSlope gate = function(load_with_bias(call, x, i, count));
      const Vec up = load_with_bias(call, x, size + i, count);
      if (call.dy == nullptr) {
        store(call.y + row * size + i, gate.value * up, count);
        continue;
      }
      const Vec dy = load(call.dy + row * size + i, count);
      const Vec gate_gradient = dy * up * gate.slope;
      const Vec up_gradient = dy * gate.value;
      store(call.dx + row * 2 * size + i, gate_gradient, count);
      store(call.dx + row * 2 * size + size + i, up_gradient, count);
      if (call.y != nullptr) store(call.y + row * size + i, gate.value * up, count);
      add_to(bias_gradient, gate_gradient, i, count);
      add_to(bias_gradient, up_gradient, size + i, count);
    }
  }
}

template <class T>
void run(const ActivationCall<T>& call, std::int64_t first, std::int64_t last, float* bias_gradient) {
  switch (call.kind) {
    case Activation::gelu: return plain_rows(call, first, last, bias_gradient, [](Vec x) { return gelu(x); });
    case Activation::gelu_tanh:
      return plain_rows(call, first, last, bias_gradient, [](Vec x) { return gelu_tanh(x); });
    case Activation::relu: return plain_rows(call, first, last, bias_gradient, [](Vec x) { return relu(x); });
    case Activation::squared_relu:
      return plain_rows(call, first, last, bias_gradient, [](Vec x) { return squared_relu(x); });
    case Activation::silu: return plain_rows(call, first, last, bias_gradient, [](Vec x) { return silu(x); });
    case Activation::swiglu:
      return gated_rows(call, first, last, bias_gradient, [](Vec x) { return silu(x); });
    case Activation::geglu:
      return gated_rows(call, first, last, bias_gradient, [](Vec x) { return gelu(x); });
    case Activation::quick_geglu:
      return gated_rows(call, first, last, bias_gradient, [](Vec x) { return quick_gelu(x); });
  }
}

}  // namespace

template <>
void activation_forward<PRIMUS_ISA, float>(const ActivationCall<float>& call, std::int64_t first,
                                           std::int64_t last) {
  run(call, first, last, nullptr);
}
template <>
void activation_forward<PRIMUS_ISA, BFloat16>(const ActivationCall<BFloat16>& call, std::int64_t first,
                                              std::int64_t last) {
  run(call, first, last, nullptr);
}
template <>
void activation_backward<PRIMUS_ISA, float>(const ActivationCall<float>& call, std::int64_t first,
                                            std::int64_t last, float* bias_gradient) {
  run(call, first, last, bias_gradient);
}
template <>
void activation_backward<PRIMUS_ISA, BFloat16>(const ActivationCall<BFloat16>& call, std::int64_t first,
                                               std::int64_t last, float* bias_gradient) {
  run(call, first, last, bias_gradient);
}

}  // namespace primus::kernels::cpu
