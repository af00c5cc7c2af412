#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace primus::optimizer {

/// The arrays that one update walks, all of `count` elements. Lengths are multiples of `update_granularity`;
/// padding holds zeros, which every rule leaves as they are.
struct UpdateArrays {
  /// fp32 weights. Null where bf16 weights and their remainders are updated.
  float* main = nullptr;
  /// fp32 gradients; read only.
  const float* gradient = nullptr;
  /// First moment, or the momentum of SGD.
  float* first = nullptr;
  /// Second moment; unused by SGD.
  float* second = nullptr;
  /// The main weights' roundings and remainders (kernels/main_weight.h).
  c10::BFloat16* weight = nullptr;
  std::int16_t* remainder = nullptr;
  std::int64_t count = 0;
};

constexpr std::int64_t update_granularity = 64;

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019) or the L2 form, in the arithmetic of Apex'
/// fused Adam, which Megatron uses:
///     m ← β₁m + (1-β₁)g     v ← β₂v + (1-β₂)g²     w ← w - lr·( m̂ / (√v̂ + ε) + decay·w )
/// where m̂ = m / (1-β₁ᵗ) and v̂ = v / (1-β₂ᵗ). Not decoupled: decay·w is added to g instead.
struct AdamRule {
  float learning_rate = 0;
  float weight_decay = 0;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  /// 1 / (1-β₁ᵗ) and 1 / (1-β₂ᵗ).
  float correction1 = 1;
  float correction2 = 1;
  /// Multiplies every gradient as it is read: clipping, loss scale and token counts cost no pass of their
  /// own.
  float gradient_scale = 1;
  bool decoupled = true;
};

/// Stochastic gradient descent with momentum, as torch.optim.SGD: b ← momentum·b + g + decay·w;
/// w ← w - lr·b.
struct SgdRule {
  float learning_rate = 0;
  float weight_decay = 0;
  float momentum = 0.9F;
  float gradient_scale = 1;
};

/// One pass over the arrays by the calling thread. Every element is computed alone, so the result does not
/// depend on how the caller cuts the work.
void update(const AdamRule& rule, const UpdateArrays& arrays);
void update(const SgdRule& rule, const UpdateArrays& arrays);

/// Sum of squares of fp32 numbers in double, always in the same order. NaN or Inf among them makes it so.
double sum_of_squares(const float* values, std::int64_t count);
/// The same of the main weights of bf16 weights and their remainders.
double sum_of_squares(const c10::BFloat16* weights, const std::int16_t* remainders, std::int64_t count);
std::int64_t count_zeros(const float* values, std::int64_t count);

}  // namespace primus::optimizer
