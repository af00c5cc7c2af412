#include "kernels/cpu/isa/norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/isa/vector.h"

namespace primus::kernels::cpu {
namespace {

/// Calls body(offset, count) for the row's vectors; count < lanes only for the last.
template <class Body>
void for_vectors(std::int64_t size, const Body& body) {
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    body(i, lanes);
  }
  if (i < size) {
    body(i, size - i);
  }
}

/// Zero in the lanes that lie beyond the row.
inline Vec only(Vec value, std::int64_t count) {
  return count == lanes ? value : Vec::set(Vec(0.0F), value, count);
}

/// A long sum in two levels, so that its rounding error stays that of a short one.
class RowSum {
 public:
  void add(Vec value) {
    part_ = part_ + value;
    if (++count_ == 8) {
      total_ = total_ + part_;
      part_ = Vec(0.0F);
      count_ = 0;
    }
  }
  float value() const { return sum(total_ + part_); }

 private:
  Vec part_{0.0F};
  Vec total_{0.0F};
  int count_ = 0;
};

template <class T>
Vec factor_at(const Norm<T>& call, std::int64_t i, std::int64_t count) {
  const Vec weight = load(call.weight + i, count);
  return call.zero_centered ? weight + Vec(1.0F) : weight;
}

template <class T>
void normalise_row(const Norm<T>& call, std::int64_t row) {
  const T* x = call.x + row * call.size;
  T* y = call.y + row * call.size;
  const auto size = static_cast<float>(call.size);
  float mean = 0.0F;
  if (call.centered) {
    RowSum total;
    for_vectors(call.size, [&](std::int64_t i, std::int64_t count) { total.add(load(x + i, count)); });
    mean = total.value() / size;
    call.mean[row] = mean;
  }
  RowSum squares;
  for_vectors(call.size, [&](std::int64_t i, std::int64_t count) {
    const Vec deviation = only(load(x + i, count) - Vec(mean), count);
    squares.add(deviation * deviation);
  });
  const float inverse = 1.0F / std::sqrt(squares.value() / size + call.epsilon);
  call.inverse_deviation[row] = inverse;
  for_vectors(call.size, [&](std::int64_t i, std::int64_t count) {
    const Vec normal = (load(x + i, count) - Vec(mean)) * Vec(inverse);
    const Vec bias = call.centered ? load(call.bias + i, count) : Vec(0.0F);
    store(y + i, at::vec::fmadd(normal, factor_at(call, i, count), bias), count);
  });
}

/// With n the normalised row and g = dy · factor: dx = (g - mean(g) - n · mean(g · n)) / deviation; RMSNorm
/// has no mean(g).
template <class T>
void differentiate_row(const Norm<T>& call, std::int64_t row, float* weight_gradient, float* bias_gradient) {
  const T* x = call.x + row * call.size;
  const T* dy = call.dy + row * call.size;
  T* dx = call.dx + row * call.size;
  const Vec mean(call.centered ? call.mean[row] : 0.0F);
  const Vec inverse(call.inverse_deviation[row]);
  RowSum along;
  RowSum total;
  for_vectors(call.size, [&](std::int64_t i, std::int64_t count) {
    const Vec normal = only((load(x + i, count) - mean) * inverse, count);
    const Vec upstream = load(dy + i, count);
    const Vec g = upstream * factor_at(call, i, count);
    along.add(g * normal);
    if (call.centered) total.add(only(g, count));
    store(weight_gradient + i, at::vec::fmadd(upstream, normal, load(weight_gradient + i, count)), count);
    if (call.centered) {
      store(bias_gradient + i, upstream + load(bias_gradient + i, count), count);
    }
  });
  const auto size = static_cast<float>(call.size);
  const Vec mean_along(along.value() / size);
  const Vec mean_total(call.centered ? total.value() / size : 0.0F);
  for_vectors(call.size, [&](std::int64_t i, std::int64_t count) {
    const Vec normal = (load(x + i, count) - mean) * inverse;
    const Vec g = load(dy + i, count) * factor_at(call, i, count);
    store(dx + i, (g - mean_total - normal * mean_along) * inverse, count);
  });
}

template <class T>
void forward(const Norm<T>& call, std::int64_t first_row, std::int64_t last_row) {
  for (std::int64_t row = first_row; row < last_row; ++row) {
    normalise_row(call, row);
  }
}

template <class T>
void backward(const Norm<T>& call, std::int64_t first_row, std::int64_t last_row, float* weight_gradient,
              float* bias_gradient) {
  for (std::int64_t row = first_row; row < last_row; ++row) {
    differentiate_row(call, row, weight_gradient, bias_gradient);
  }
}

}  // namespace

template <>
void norm_forward<PRIMUS_ISA, float>(const Norm<float>& call, std::int64_t first, std::int64_t last) {
  forward(call, first, last);
}
template <>
void norm_forward<PRIMUS_ISA, BFloat16>(const Norm<BFloat16>& call, std::int64_t first, std::int64_t last) {
  forward(call, first, last);
}
template <>
void norm_backward<PRIMUS_ISA, float>(const Norm<float>& call, std::int64_t first, std::int64_t last,
                                      float* weight_gradient, float* bias_gradient) {
  backward(call, first, last, weight_gradient, bias_gradient);
}
template <>
void norm_backward<PRIMUS_ISA, BFloat16>(const Norm<BFloat16>& call, std::int64_t first, std::int64_t last,
                                         float* weight_gradient, float* bias_gradient) {
  backward(call, first, last, weight_gradient, bias_gradient);
}

}  // namespace primus::kernels::cpu
