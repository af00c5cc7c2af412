#pragma once

// For sources that are compiled once per instruction set. Everything is in an unnamed namespace, so that no
// copy compiled for one instruction set is ever linked in place of another's.

#include <ATen/cpu/vec/vec.h>
#include <c10/util/BFloat16.h>

#include <cstdint>
#include <utility>

namespace primus::kernels::cpu {
namespace {

using Vec = at::vec::Vectorized<float>;
using BFloat16 = c10::BFloat16;

constexpr std::int64_t lanes = Vec::size();

/// log2(e): exp(x) = exp2(x * log2_e).
constexpr float log2_e = 1.4426950408889634F;

/// Reads `count` <= lanes numbers as fp32; missing lanes are 0.
inline Vec load(const float* from, std::int64_t count = lanes) {
  return count == lanes ? Vec::loadu(from) : Vec::loadu(from, count);
}

inline Vec load(const BFloat16* from, std::int64_t count = lanes) {
#if defined(CPU_CAPABILITY_AVX512)
  const auto mask = static_cast<__mmask16>((1U << count) - 1U);
  const __m256i bits = count == lanes ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))
                                      : _mm256_maskz_loadu_epi16(mask, from);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
#else
  float wide[lanes] = {};
  if (count == lanes) {
    for (std::int64_t i = 0; i < lanes; ++i) wide[i] = static_cast<float>(from[i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) wide[i] = static_cast<float>(from[i]);
  }
  return Vec::loadu(wide);
#endif
}

inline void store(float* to, Vec value, std::int64_t count = lanes) {
  value.store(to, static_cast<int>(count));
}

/// Rounds to nearest even, as every conversion to bf16 does.
inline void store(BFloat16* to, Vec value, std::int64_t count = lanes) {
#if defined(CPU_CAPABILITY_AVX512)
  const auto bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value));
  const auto mask = static_cast<__mmask16>((1U << count) - 1U);
  if (count == lanes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bits);
  } else {
    _mm256_mask_storeu_epi16(to, mask, bits);
  }
#else
  float wide[lanes];
  value.store(wide);
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = wide[i];
  }
#endif
}

/// 2^x; infinite above 2^128, 0 far below the smallest normal number; relative error below 2e-7 (Cephes'
/// polynomial on
/// [-1/2, 1/2]).
inline Vec exp2(Vec x) {
#if defined(CPU_CAPABILITY_AVX512)
  const __m512 bounded = _mm512_max_ps(x, _mm512_set1_ps(-200.0F));
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vec part = _mm512_sub_ps(bounded, whole);
#else
  const Vec bounded = at::vec::minimum(at::vec::maximum(x, Vec(-126.5F)), Vec(128.0F));
  const Vec whole = bounded.round();
  const Vec part = bounded - whole;
#endif
  Vec power(1.535336188319500e-4F);
  power = at::vec::fmadd(power, part, Vec(1.339887440266574e-3F));
  power = at::vec::fmadd(power, part, Vec(9.618437357674640e-3F));
  power = at::vec::fmadd(power, part, Vec(5.550332471162809e-2F));
  power = at::vec::fmadd(power, part, Vec(2.402264791363012e-1F));
  power = at::vec::fmadd(power, part, Vec(6.931472028550421e-1F));
  power = at::vec::fmadd(power, part, Vec(1.0F));
#if defined(CPU_CAPABILITY_AVX512)
  return _mm512_scalef_ps(power, whole);
#else
  const auto exponent = at::vec::convert_to_int_of_same_size(whole) + at::vec::Vectorized<std::int32_t>(127);
  const Vec scale = at::vec::cast<float>(exponent << at::vec::Vectorized<std::int32_t>(23));
  return Vec::blendv(power * scale, Vec(0.0F), x < Vec(-126.0F));
#endif
}

/// e^x, to fp32's precision.
inline Vec exp(Vec x) { return exp2(x * Vec(1.4426950408889634F)); }

/// 1 / (1 + e^-x).
inline Vec sigmoid(Vec x) { return Vec(1.0F) / (Vec(1.0F) + exp(x.neg())); }

inline float sum(Vec value) {
#if defined(CPU_CAPABILITY_AVX512)
  return _mm512_reduce_add_ps(value);
#else
  float wide[lanes];
  value.store(wide);
  float total = 0.0F;
  for (float x : wide) {
    total += x;
  }
  return total;
#endif
}

#if defined(__AVX512BF16__)
/// Two rows as bf16 with their elements in turn: what a packed operand of the bf16 units holds.
inline void store_interleaved(BFloat16* to, Vec even, Vec odd) {
  const auto joined = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, joined));
}
#endif

}  // namespace
}  // namespace primus::kernels::cpu
