#include "optimizer/update.h"

#include <bit>
#include <cmath>

#include "core/vector_clones.h"

namespace primus::optimizer {

namespace {

constexpr int block = 16;

/// Round to nearest, ties to even, as c10::BFloat16 does; without its branch, so that it becomes vector code.
inline std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? 0x7FC0U : rounded);
}

inline void round_block(const float* __restrict main, c10::BFloat16* __restrict weight) {
  for (int i = 0; i < block; ++i) weight[i].x = bfloat16_bits(main[i]);
}

/// `decoupled` is a constant at each call, so neither form pays for the other.
inline void adam_block(const AdamRule& rule, bool decoupled, float* __restrict main,
                       const float* __restrict gradient, float* __restrict first, float* __restrict second) {
  const float decay = rule.weight_decay;
  for (int i = 0; i < block; ++i) {
    const float w = main[i];
    const float g = gradient[i] * rule.gradient_scale + (decoupled ? 0.0F : decay * w);
    const float m = rule.beta1 * first[i] + (1.0F - rule.beta1) * g;
    const float v = rule.beta2 * second[i] + (1.0F - rule.beta2) * g * g;
    const float step = m * rule.correction1 / (std::sqrt(v * rule.correction2) + rule.epsilon);
    first[i] = m;
    second[i] = v;
    main[i] = w - rule.learning_rate * (step + (decoupled ? decay * w : 0.0F));
  }
}

inline void sgd_block(const SgdRule& rule, float* __restrict main, const float* __restrict gradient,
                      float* __restrict momentum) {
  for (int i = 0; i < block; ++i) {
    const float g = gradient[i] * rule.gradient_scale + rule.weight_decay * main[i];
    momentum[i] = rule.momentum * momentum[i] + g;
    main[i] -= rule.learning_rate * momentum[i];
  }
}

}  // namespace

PRIMUS_VECTOR_CLONES
void update(const AdamRule& rule, const UpdateArrays& arrays) {
  const AdamRule local = rule;
  for (std::int64_t i = 0; i < arrays.count; i += block) {
    if (local.decoupled) {
      adam_block(local, true, arrays.main + i, arrays.gradient + i, arrays.first + i, arrays.second + i);
    } else {
      adam_block(local, false, arrays.main + i, arrays.gradient + i, arrays.first + i, arrays.second + i);
    }
    if (arrays.weight != nullptr) round_block(arrays.main + i, arrays.weight + i);
  }
}

PRIMUS_VECTOR_CLONES
void update(const SgdRule& rule, const UpdateArrays& arrays) {
  const SgdRule local = rule;
  for (std::int64_t i = 0; i < arrays.count; i += block) {
    sgd_block(local, arrays.main + i, arrays.gradient + i, arrays.first + i);
    if (arrays.weight != nullptr) round_block(arrays.main + i, arrays.weight + i);
  }
}

PRIMUS_VECTOR_CLONES
double sum_of_squares(const float* values, std::int64_t count) {
  double lanes[block] = {};
  std::int64_t i = 0;
  for (; i + block <= count; i += block) {
    for (int lane = 0; lane < block; ++lane) {
      const double value = values[i + lane];
      lanes[lane] += value * value;
    }
  }
  double sum = 0;
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * values[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

std::int64_t count_zeros(const float* values, std::int64_t count) {
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < count; ++i) zeros += values[i] == 0.0F ? 1 : 0;
  return zeros;
}

}  // namespace primus::optimizer
