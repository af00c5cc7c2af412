#pragma once

#include <ATen/core/Tensor.h>

#include <bit>
#include <cstdint>

namespace primus::kernels {

// An fp32 main weight is kept as its rounding to bf16, which the model computes with, and a remainder of 16
// bits: what the main weight's bits, read as an integer, exceed the rounding's by. (Transformer Engine's
// store_param_remainders keeps as many bits, but rounds ties away from zero.)
//
// Remainders go from -2^15 to 2^15, and only the last of them does not fit into 16 bits. It belongs to main
// weights half-way between two bf16 numbers that are rounded towards zero, to the even one: one of 131,072.
// They move by one fp32 number towards their rounding, which stays what it was; that is less than 2^-23 of a
// normal number. Every other finite number comes back exactly: ties that are rounded away from zero, zeros
// with their sign, denormals, and the numbers near the largest that are rounded to Inf. So does Inf. NaN
// comes back as NaN, with other lower bits.

/// Round to nearest, ties to even, as c10::BFloat16 does; without its branch, so that it becomes vector code.
inline std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? 0x7FC0U : rounded);
}

/// What `main` exceeds bfloat16_bits(main) by: its lower bits, as a signed number.
inline std::int16_t main_weight_remainder(float main) {
  const auto bits = std::bit_cast<std::uint32_t>(main);
  const bool tie_rounded_down = (bits & 0x1FFFFU) == 0x8000U;
  return static_cast<std::int16_t>(tie_rounded_down ? 0x7FFFU : bits);
}

inline float main_weight(std::uint16_t weight, std::int16_t remainder) {
  return std::bit_cast<float>((std::uint32_t{weight} << 16) +
                              static_cast<std::uint32_t>(std::int32_t{remainder}));
}

/// The fp32 main weights of bf16 weights and int16 remainders of one shape, on the host.
at::Tensor join_main_weights(const at::Tensor& weights, const at::Tensor& remainders);

/// Writes main weights (any dtype) into bf16 weights and int16 remainders of their shape, on the host.
void split_main_weights(const at::Tensor& main, const at::Tensor& weights, const at::Tensor& remainders);

}  // namespace primus::kernels
