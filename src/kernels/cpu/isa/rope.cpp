#include "kernels/cpu/isa/rope.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/isa/vector.h"

namespace primus::kernels::cpu {
namespace {

/// Element i turns with element i + pairs.
template <class T>
void turn_halves(const Rotation<T>& call, const T* x, T* y, const float* cos, const float* sin) {
  for (std::int64_t i = 0; i < call.pairs; i += lanes) {
    const std::int64_t count = std::min(lanes, call.pairs - i);
    const Vec c = load(cos + i, count);
    const Vec s = load(sin + i, count) * Vec(call.direction);
    const Vec first = load(x + i, count);
    const Vec second = load(x + call.pairs + i, count);
    store(y + i, first * c - second * s, count);
    store(y + call.pairs + i, at::vec::fmadd(first, s, second * c), count);
  }
}

/// Elements 2i and 2i + 1 turn together.
template <class T>
void turn_neighbours(const Rotation<T>& call, const T* x, T* y, const float* cos, const float* sin) {
  for (std::int64_t i = 0; i < call.pairs; ++i) {
    const float s = sin[i] * call.direction;
    const auto first = static_cast<float>(x[2 * i]);
    const auto second = static_cast<float>(x[2 * i + 1]);
    y[2 * i] = first * cos[i] - second * s;
    y[2 * i + 1] = second * cos[i] + first * s;
  }
}

template <class T>
void rotate_token(const Rotation<T>& call, std::int64_t token, std::int64_t sample) {
  const std::int64_t row = (call.per_sample ? token * call.samples + sample : token) * call.pairs;
  const T* x = call.x + token * call.token_stride + sample * call.sample_stride;
  T* y = call.y + (token * call.samples + sample) * call.groups * call.heads * call.size;
  const std::int64_t turned = 2 * call.pairs;
  for (std::int64_t group = 0; group < call.groups; ++group) {
    for (std::int64_t head = 0; head < call.heads; ++head, y += call.size) {
      const T* from = x + group * call.group_stride + head * call.head_stride;
      std::int64_t passed = 0;
      if (head < call.turning_heads) {
        (call.interleaved ? turn_neighbours<T> : turn_halves<T>)(call, from, y, call.cos + row,
                                                                 call.sin + row);
        passed = turned;
      }
      std::memcpy(y + passed, from + passed, static_cast<std::size_t>(call.size - passed) * sizeof(T));
    }
  }
}

template <class T>
void rotate(const Rotation<T>& call, std::int64_t first, std::int64_t last) {
  for (std::int64_t token = first; token < last; ++token) {
    for (std::int64_t sample = 0; sample < call.samples; ++sample) {
      rotate_token(call, token, sample);
    }
  }
}

}  // namespace

template <>
void rotate_tokens<PRIMUS_ISA, float>(const Rotation<float>& call, std::int64_t first, std::int64_t last) {
  rotate(call, first, last);
}
template <>
void rotate_tokens<PRIMUS_ISA, BFloat16>(const Rotation<BFloat16>& call, std::int64_t first,
                                         std::int64_t last) {
  rotate(call, first, last);
}

}  // namespace primus::kernels::cpu
