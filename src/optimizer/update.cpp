#include "optimizer/update.h"

#include <cmath>

#include "core/vector_clones.h"
#include "kernels/main_weight.h"

namespace primus::optimizer {

namespace {

/// The widest vector holds so many 16-bit numbers: narrower ones would be stored in halves where fp32 numbers
/// are then loaded whole, which waits for the stores.
constexpr int block = 32;
/// Running sums: changing their number changes results.
constexpr int sum_lanes = 16;

/// The main weights of a block, where they can be changed: `scratch` when they are kept split.
inline float* join_block(const UpdateArrays& arrays, std::int64_t begin, float* __restrict scratch) {
  if (arrays.main != nullptr) return arrays.main + begin;
  const c10::BFloat16* __restrict weight = arrays.weight + begin;
  const std::int16_t* __restrict remainder = arrays.remainder + begin;
  for (int i = 0; i < block; ++i) scratch[i] = kernels::main_weight(weight[i].x, remainder[i]);
  return scratch;
}

inline void split_block(const float* __restrict main, const UpdateArrays& arrays, std::int64_t begin) {
  if (arrays.main != nullptr) return;
  c10::BFloat16* __restrict weight = arrays.weight + begin;
  std::int16_t* __restrict remainder = arrays.remainder + begin;
  for (int i = 0; i < block; ++i) weight[i].x = kernels::bfloat16_bits(main[i]);
  for (int i = 0; i < block; ++i) remainder[i] = kernels::main_weight_remainder(main[i]);
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

/// `value_at(i)` is the i-th number.
template <typename ValueAt>
inline double sum_squares_of(const ValueAt& value_at, std::int64_t count) {
  double lanes[sum_lanes] = {};
  std::int64_t i = 0;
  for (; i + sum_lanes <= count; i += sum_lanes) {
    for (int lane = 0; lane < sum_lanes; ++lane) {
      const double value = value_at(i + lane);
      lanes[lane] += value * value;
    }
  }
  double sum = 0;
  for (; i < count; ++i) sum += static_cast<double>(value_at(i)) * value_at(i);
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

PRIMUS_VECTOR_CLONES
void update(const AdamRule& rule, const UpdateArrays& arrays) {
  const AdamRule local = rule;
  for (std::int64_t i = 0; i < arrays.count; i += block) {
    float scratch[block];
    float* main = join_block(arrays, i, scratch);
    if (local.decoupled) {
      adam_block(local, true, main, arrays.gradient + i, arrays.first + i, arrays.second + i);
    } else {
      adam_block(local, false, main, arrays.gradient + i, arrays.first + i, arrays.second + i);
    }
    split_block(main, arrays, i);
  }
}

PRIMUS_VECTOR_CLONES
void update(const SgdRule& rule, const UpdateArrays& arrays) {
  const SgdRule local = rule;
  for (std::int64_t i = 0; i < arrays.count; i += block) {
    float scratch[block];
    float* main = join_block(arrays, i, scratch);
    sgd_block(local, main, arrays.gradient + i, arrays.first + i);
    split_block(main, arrays, i);
  }
}

PRIMUS_VECTOR_CLONES
double sum_of_squares(const float* values, std::int64_t count) {
  return sum_squares_of([values](std::int64_t i) { return values[i]; }, count);
}

PRIMUS_VECTOR_CLONES
double sum_of_squares(const c10::BFloat16* weights, const std::int16_t* remainders, std::int64_t count) {
  return sum_squares_of([=](std::int64_t i) { return kernels::main_weight(weights[i].x, remainders[i]); },
                        count);
}

std::int64_t count_zeros(const float* values, std::int64_t count) {
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < count; ++i) zeros += values[i] == 0.0F ? 1 : 0;
  return zeros;
}

}  // namespace primus::optimizer
