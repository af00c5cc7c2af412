#include "kernels/cpu/isa/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/isa/vector.h"

namespace primus::kernels::cpu {
namespace {

constexpr float lowest = -std::numeric_limits<float>::infinity();

inline Vec capped(Vec logit, float softcap) {
  return softcap > 0.0F ? Vec(softcap) * (logit * Vec(1.0F / softcap)).tanh() : logit;
}

inline float maximum_of(Vec value) {
  float wide[lanes];
  value.store(wide);
  return *std::max_element(wide, wide + lanes);
}

template <class T>
Vec logit_at(const LogitRows<T>& call, const T* row, std::int64_t i, std::int64_t count, float beyond) {
  const Vec logit = capped(load(row + i, count), call.softcap);
  return count == lanes ? logit : Vec::set(Vec(beyond), logit, count);
}

template <class T>
void statistics_of_row(const LogitRows<T>& call, std::int64_t row) {
  const T* logits = call.logits + row * call.width;
  Vec largest(lowest);
  for (std::int64_t i = 0; i < call.width; i += lanes) {
    largest = at::vec::maximum(largest, logit_at(call, logits, i, std::min(lanes, call.width - i), lowest));
  }
  const float maximum = maximum_of(largest);
  Vec total(0.0F);
  for (std::int64_t i = 0; i < call.width; i += lanes) {
    const Vec logit = logit_at(call, logits, i, std::min(lanes, call.width - i), lowest);
    total = total + exp2((logit - Vec(maximum)) * Vec(log2_e));
  }
  call.maximum[row] = maximum;
  call.sum_of_exponentials[row] = sum(total);
  const std::int64_t column = call.labels[row] - call.first_column;
  call.label_logit[row] = 0.0F;
  if (column >= 0 && column < call.width) {
    float wide[lanes];
    capped(load(logits + column, 1), call.softcap).store(wide);
    call.label_logit[row] = wide[0];
  }
}

template <class T>
void gradient_of_row(const LogitRows<T>& call, std::int64_t row) {
  const T* logits = call.logits + row * call.width;
  T* gradient = call.gradient + row * call.width;
  const Vec maximum(call.maximum[row]);
  const Vec scale(call.loss_gradient[row] / call.sum_of_exponentials[row]);
  const std::int64_t column = call.labels[row] - call.first_column;
  // The label's gradient is rounded once only, and read before its place is written.
  float at_label = 0.0F;
  const bool label_is_here = column >= 0 && column < call.width;
  const auto slope = [&](Vec logit) {
    const Vec tanh = logit * Vec(1.0F / call.softcap);
    return call.softcap > 0.0F ? Vec(1.0F) - tanh * tanh : Vec(1.0F);
  };
  if (label_is_here) {
    const Vec logit = capped(load(logits + column, 1), call.softcap);
    const Vec p = exp2((logit - maximum) * Vec(log2_e)) * scale;
    float wide[lanes];
    ((p - Vec(call.loss_gradient[row])) * slope(logit)).store(wide);
    at_label = wide[0];
  }
  for (std::int64_t i = 0; i < call.width; i += lanes) {
    const std::int64_t count = std::min(lanes, call.width - i);
    const Vec logit = capped(load(logits + i, count), call.softcap);
    store(gradient + i, exp2((logit - maximum) * Vec(log2_e)) * scale * slope(logit), count);
  }
  if (label_is_here) {
    gradient[column] = at_label;
  }
}

template <class T>
void statistics(const LogitRows<T>& call, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    statistics_of_row(call, row);
  }
}

template <class T>
void gradients(const LogitRows<T>& call, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    gradient_of_row(call, row);
  }
}

}  // namespace

template <>
void logit_statistics<PRIMUS_ISA, float>(const LogitRows<float>& call, std::int64_t first,
                                         std::int64_t last) {
  statistics(call, first, last);
}
template <>
void logit_statistics<PRIMUS_ISA, BFloat16>(const LogitRows<BFloat16>& call, std::int64_t first,
                                            std::int64_t last) {
  statistics(call, first, last);
}
template <>
void logit_gradients<PRIMUS_ISA, float>(const LogitRows<float>& call, std::int64_t first, std::int64_t last) {
  gradients(call, first, last);
}
template <>
void logit_gradients<PRIMUS_ISA, BFloat16>(const LogitRows<BFloat16>& call, std::int64_t first,
                                           std::int64_t last) {
  gradients(call, first, last);
}

}  // namespace primus::kernels::cpu
