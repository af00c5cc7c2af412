#pragma once

#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cstdint>

namespace primus::kernels::cpu {

/// Elements that lie together in one 32-bit unit of a packed operand: the bf16 units multiply pairs.
template <class T>
inline constexpr std::int64_t pair_size = 4 / sizeof(T);

/// c = a·b, or c += a·b, on one thread: oneDNN's batch-reduce micro-kernel, made at run time for each shape.
/// a [m, k] row-major; c fp32 [m, n]; b packed as [k / pair_size, n, pair_size], so plain row-major in fp32.
/// bf16 needs the instructions for it (features.h) and an even k.
inline void tile_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const c10::BFloat16* a,
                      std::int64_t lda, const c10::BFloat16* b, std::int64_t ldb, float* c, std::int64_t ldc,
                      bool accumulate) {
  at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, accumulate, a, b, c, true);
}

inline void tile_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                      const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, accumulate, a, b, c, false);
    return;
  }
#endif
  // The micro-kernel starts at AVX2; older and other machines are served, not sped up.
  for (std::int64_t i = 0; i < m; ++i) {
    float* row = c + i * ldc;
    if (!accumulate) {
      std::fill(row, row + n, 0.0F);
    }
    for (std::int64_t l = 0; l < k; ++l) {
      for (std::int64_t j = 0; j < n; ++j) {
        row[j] += a[i * lda + l] * b[l * ldb + j];
      }
    }
  }
}

}  // namespace primus::kernels::cpu
