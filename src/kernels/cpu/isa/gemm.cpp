// Matrix products of linear layers. A task packs one panel of the second operand, small enough for the
// second-level cache, and runs it against all rows of the first, which it reads where they lie.

#include "kernels/cpu/isa/gemm.h"

#include <type_traits>

#include "kernels/cpu/isa/pack.h"

namespace primus::kernels::cpu {
namespace {

template <class T, class P>
void pack_panel(const Gemm<T, P>& call, std::int64_t first_column, std::int64_t first, std::int64_t length,
                P* panel) {
  const std::int64_t width = std::min(panel_width, call.n - first_column);
  if (call.b_transposed) {
    pack_transposed(call.b + first_column * call.ldb + first, call.ldb, panel, panel_width, width, length);
  } else {
    if (width < panel_width) {
      std::fill(panel, panel + length * panel_width, P(0.0F));
    }
    pack_rows(call.b + first * call.ldb + first_column, call.ldb, panel, panel_width, length, width, length);
  }
}

template <class T, class P>
void write_result(const Gemm<T, P>& call, const float* from, std::int64_t first_row, std::int64_t rows,
                  std::int64_t first_column) {
  const std::int64_t width = std::min(panel_width, call.n - first_column);
  for (std::int64_t column = 0; column < width; column += lanes) {
    const std::int64_t count = std::min(lanes, width - column);
    const Vec bias = call.bias != nullptr ? load(call.bias + first_column + column, count) : Vec(0.0F);
    for (std::int64_t i = 0; i < rows; ++i) {
      store(call.c + (first_row + i) * call.ldc + first_column + column,
            Vec::loadu(from + i * panel_width + column) + bias, count);
    }
  }
}

/// Rows of a whose products are P: where they lie, or widened.
template <class T, class P>
struct LeftRows {
  const P* data;
  std::int64_t stride;

  LeftRows(const Gemm<T, P>& call, std::int64_t first_row, std::int64_t rows, std::int64_t first,
           std::int64_t length, P* scratch) {
    const T* from = call.a + first_row * call.lda + first;
    if constexpr (std::is_same_v<T, P>) {
      data = from;
      stride = call.lda;
    } else {
      pack_rows(from, call.lda, scratch, length, rows, length, rows);
      data = scratch;
      stride = length;
    }
  }
};

template <class T, class P>
void compute_group(const Gemm<T, P>& call, std::int64_t first_row, std::int64_t rows, std::int64_t group,
                   float* scratch) {
  const std::int64_t longest = call.length();
  const std::int64_t first_column = group * call.group() * panel_width;
  const std::int64_t columns = std::min(call.group() * panel_width, call.n - first_column);
  auto* packed = reinterpret_cast<P*>(scratch);
  float* sums = scratch + call.group() * panel_width * longest;
  auto* widened = reinterpret_cast<P*>(sums + call.group() * panel_width * rows);
  for (std::int64_t first = 0; first < call.k; first += longest) {
    const std::int64_t length = std::min(longest, call.k - first);
    for (std::int64_t column = 0; column < columns; column += panel_width) {
      pack_panel(call, first_column + column, first, length, packed + column * longest);
    }
    for (std::int64_t i = 0; i < rows; i += row_block) {
      const std::int64_t count = std::min(row_block, rows - i);
      const LeftRows<T, P> left(call, first_row + i, count, first, length, widened);
      for (std::int64_t column = 0; column < columns; column += panel_width) {
        float* tile = sums + column * rows + i * panel_width;
        tile_gemm(count, panel_width, length, left.data, left.stride, packed + column * longest, panel_width,
                  tile, panel_width, first > 0);
        if (first + length == call.k) {
          write_result(call, tile, first_row + i, count, first_column + column);
        }
      }
    }
  }
}

template <class T, class P>
void pack_gradient_panel(const WeightGradient<T, P>& call, std::int64_t panel) {
  const std::int64_t first = panel * panel_width;
  const std::int64_t width = std::min(panel_width, call.in - first);
  pack_rows(call.x + first, call.x_stride, call.packed_x + first * call.tokens_padded(), panel_width,
            call.tokens, width, call.tokens_padded());
}

/// Asks for a tile of the gradient, which comes from main memory, while the tile before it is computed.
inline void prefetch_tile(const float* tile, std::int64_t stride, std::int64_t rows, std::int64_t width) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t column = 0; column < width; column += 16) {
      __builtin_prefetch(tile + i * stride + column, 1, 2);
    }
  }
}

template <class T, class P>
void add_gradient_block(const WeightGradient<T, P>& call, std::int64_t block, float* scratch) {
  const std::int64_t first_row = block * row_block;
  const std::int64_t rows = std::min(row_block, call.out - first_row);
  auto* columns = reinterpret_cast<P*>(scratch);
  P* staging = columns + row_block * token_chunk<P>;
  float* gradient = call.gradient + first_row * call.gradient_stride;
  for (std::int64_t token = 0; token < call.tokens; token += token_chunk<P>) {
    const std::int64_t length = std::min(token_chunk<P>, call.tokens_padded() - token);
    transpose(call.dy + token * call.dy_stride + first_row, call.dy_stride, columns, length,
              std::min(length, call.tokens - token), rows, length, staging);
    for (std::int64_t first = 0; first < call.in; first += panel_width) {
      const std::int64_t width = std::min(panel_width, call.in - first);
      const std::int64_t next = first + panel_width;
      if (next < call.in) {
        prefetch_tile(gradient + next, call.gradient_stride, rows, std::min(panel_width, call.in - next));
      }
      const P* panel = call.packed_x + first * call.tokens_padded() + token * panel_width;
      tile_gemm(rows, width, length, columns, length, panel, panel_width, gradient + first,
                call.gradient_stride, true);
    }
  }
}

}  // namespace

template <>
void gemm_group<PRIMUS_ISA, float, float>(const Gemm<float, float>& call, std::int64_t first_row,
                                          std::int64_t rows, std::int64_t group, float* scratch) {
  compute_group(call, first_row, rows, group, scratch);
}

template <>
void weight_gradient_pack<PRIMUS_ISA, float, float>(const WeightGradient<float, float>& call,
                                                    std::int64_t panel) {
  pack_gradient_panel(call, panel);
}

template <>
void weight_gradient_block<PRIMUS_ISA, float, float>(const WeightGradient<float, float>& call,
                                                     std::int64_t block, float* scratch) {
  add_gradient_block(call, block, scratch);
}

template <>
void gemm_group<PRIMUS_ISA, BFloat16, float>(const Gemm<BFloat16, float>& call, std::int64_t first_row,
                                             std::int64_t rows, std::int64_t group, float* scratch) {
  compute_group(call, first_row, rows, group, scratch);
}

template <>
void weight_gradient_pack<PRIMUS_ISA, BFloat16, float>(const WeightGradient<BFloat16, float>& call,
                                                       std::int64_t panel) {
  pack_gradient_panel(call, panel);
}

template <>
void weight_gradient_block<PRIMUS_ISA, BFloat16, float>(const WeightGradient<BFloat16, float>& call,
                                                        std::int64_t block, float* scratch) {
  add_gradient_block(call, block, scratch);
}

#if defined(__AVX512BF16__)
template <>
void gemm_group<PRIMUS_ISA, BFloat16, BFloat16>(const Gemm<BFloat16, BFloat16>& call, std::int64_t first_row,
                                                std::int64_t rows, std::int64_t group, float* scratch) {
  compute_group(call, first_row, rows, group, scratch);
}

template <>
void weight_gradient_pack<PRIMUS_ISA, BFloat16, BFloat16>(const WeightGradient<BFloat16, BFloat16>& call,
                                                          std::int64_t panel) {
  pack_gradient_panel(call, panel);
}

template <>
void weight_gradient_block<PRIMUS_ISA, BFloat16, BFloat16>(const WeightGradient<BFloat16, BFloat16>& call,
                                                           std::int64_t block, float* scratch) {
  add_gradient_block(call, block, scratch);
}
#endif

}  // namespace primus::kernels::cpu
