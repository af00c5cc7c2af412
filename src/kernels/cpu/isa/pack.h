#pragma once

// Operands in the layouts that tile_gemm wants. "Unit": 32 bits, one fp32 or a pair of bf16.

#include <cstdint>
#include <cstring>

#include "kernels/cpu/isa/vector.h"
#include "kernels/cpu/tile_gemm.h"

namespace primus::kernels::cpu {
namespace {

/// to[j, i] = from[i, j] for i < rows, j < columns; everything in units.
inline void transpose_units(const float* from, std::int64_t ld_from, float* to, std::int64_t ld_to,
                            std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t block = 16;
  for (std::int64_t i = 0; i < rows; i += block) {
    for (std::int64_t j = 0; j < columns; j += block) {
      const float* source = from + i * ld_from + j;
      float* target = to + j * ld_to + i;
      if (i + block <= rows && j + block <= columns) {
        at::vec::transpose_mxn<float, block, block>(source, ld_from, target, ld_to);
        continue;
      }
      for (std::int64_t ii = 0; ii < std::min(block, rows - i); ++ii) {
        for (std::int64_t jj = 0; jj < std::min(block, columns - j); ++jj) {
          std::memcpy(target + jj * ld_to + ii, source + ii * ld_from + jj, sizeof(float));
        }
      }
    }
  }
}

/// Packs fromᵀ as the second operand: from [rows, columns], to [columns / pair, width, pair] with width >=
/// rows; columns beyond `rows` become zero. The columns of `from` must come in whole units.
template <class T>
void pack_transposed(const T* from, std::int64_t ld_from, T* to, std::int64_t width, std::int64_t rows,
                     std::int64_t columns) {
  const std::int64_t units = columns / pair_size<T>;
  auto* target = reinterpret_cast<float*>(to);
  if (rows < width) {
    for (std::int64_t unit = 0; unit < units; ++unit) {
      std::fill(target + unit * width + rows, target + (unit + 1) * width, 0.0F);
    }
  }
  transpose_units(reinterpret_cast<const float*>(from), ld_from / pair_size<T>, target, width, rows, units);
}

/// Packs `from` as the second operand: from [rows, columns], to [padded_rows / pair, ld_to, pair]; rows
/// beyond `rows` become zero.
template <class T>
void pack_rows(const T* from, std::int64_t ld_from, T* to, std::int64_t ld_to, std::int64_t rows,
               std::int64_t columns, std::int64_t padded_rows) {
  if constexpr (sizeof(T) == sizeof(float)) {
    for (std::int64_t i = 0; i < padded_rows; ++i) {
      if (i < rows) {
        std::memcpy(to + i * ld_to, from + i * ld_from, static_cast<std::size_t>(columns) * sizeof(T));
      } else {
        std::fill(to + i * ld_to, to + i * ld_to + columns, T(0.0F));
      }
    }
  } else {
    const auto* bits = reinterpret_cast<const std::uint16_t*>(from);
    auto* units = reinterpret_cast<std::uint32_t*>(to);
    for (std::int64_t i = 0; i < padded_rows; i += 2) {
      const std::uint16_t* even = bits + i * ld_from;
      std::uint32_t* target = units + i / 2 * ld_to;
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::uint32_t low = i < rows ? even[j] : 0U;
        const std::uint32_t high = i + 1 < rows ? even[ld_from + j] : 0U;
        target[j] = low | high << 16U;
      }
    }
  }
}

/// pack_rows of bf16 rows for products of fp32.
inline void pack_rows(const BFloat16* from, std::int64_t ld_from, float* to, std::int64_t ld_to,
                      std::int64_t rows, std::int64_t columns, std::int64_t padded_rows) {
  for (std::int64_t i = 0; i < padded_rows; ++i) {
    if (i >= rows) {
      std::fill(to + i * ld_to, to + i * ld_to + columns, 0.0F);
      continue;
    }
    for (std::int64_t j = 0; j < columns; j += lanes) {
      const std::int64_t count = std::min(lanes, columns - j);
      store(to + i * ld_to + j, load(from + i * ld_from + j, count), count);
    }
  }
}

/// pack_transposed of bf16 rows for products of fp32.
inline void pack_transposed(const BFloat16* from, std::int64_t ld_from, float* to, std::int64_t width,
                            std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t block = 64;
  float wide[block * block];
  for (std::int64_t j = 0; j < columns; j += block) {
    const std::int64_t some_columns = std::min(block, columns - j);
    for (std::int64_t i = 0; i < width; i += block) {
      const std::int64_t padded = std::min(block, width - i);
      pack_rows(from + i * ld_from + j, ld_from, wide, block, std::clamp<std::int64_t>(rows - i, 0, padded),
                some_columns, padded);
      transpose_units(wide, block, to + j * width + i, width, padded, some_columns);
    }
  }
}

/// to[j, i] = from[i, j]: the transposed matrix as a first operand, in T or wider. Elements beyond `rows` up
/// to padded_rows become zero; padded_rows is a multiple of pair_size and at most ld_to. `scratch` holds
/// 16·pair·columns elements.
template <class T, class P>
void transpose(const T* from, std::int64_t ld_from, P* to, std::int64_t ld_to, std::int64_t rows,
               std::int64_t columns, std::int64_t padded_rows, P* scratch) {
  constexpr std::int64_t block = 16 * pair_size<P>;
  for (std::int64_t i = 0; i < padded_rows; i += block) {
    const std::int64_t padded = std::min(block, padded_rows - i);
    pack_rows(from + i * ld_from, ld_from, scratch, columns,
              std::max<std::int64_t>(0, std::min(padded, rows - i)), columns, padded);
    transpose_units(reinterpret_cast<const float*>(scratch), columns, reinterpret_cast<float*>(to + i),
                    ld_to / pair_size<P>, padded / pair_size<P>, columns);
  }
}

}  // namespace
}  // namespace primus::kernels::cpu
