// Flash attention, backward. One task computes all gradients of one key/value head, key block by key block,
// so that no two threads add to the same numbers and the result does not depend on their order.
//
// Tiles are [keys, queries], as in the forward: probabilities and score gradients are then the first operands
// of the products for the value and key gradients, and the score gradient, packed, is the second operand of
// the product for the query gradient, kept transposed until the end.

#include <cmath>

#include "kernels/cpu/isa/attention.h"
#include "kernels/cpu/isa/attention_tile.h"

namespace primus::kernels::cpu {
namespace {

/// Everything of one head's queries that is used again for every key block.
template <class T>
struct HeadOperands {
  T* query_columns;     // [blocks, size / pair, query_block, pair]: packed transposed
  T* query_rows;        // [blocks, query_block / pair, size, pair]: packed
  T* gradient_columns;  // the same two of the context's gradient
  T* gradient_rows;
  float* log_sum;         // [blocks · query_block] base 2, +inf where no key is seen
  float* delta;           // [blocks · query_block]
  float* query_gradient;  // [blocks, size, query_block]
};

template <class T>
struct Tiles {
  float* scores;  // [key_block, query_block]
  float* probability_gradient;
  T* probability;
  T* score_gradient;
  T* packed_score_gradient;
  T* key_columns;       // [size, key_block]
  float* key_gradient;  // [key blocks · key_block, size]
  float* value_gradient;
  float* staging;
};

/// Σ context · gradient of one query.
template <class T>
float row_product(const T* a, const T* b, std::int64_t size) {
  Vec total(0.0F);
  for (std::int64_t i = 0; i < size; i += lanes) {
    const std::int64_t width = std::min(lanes, size - i);
    total = at::vec::fmadd(load(a + i, width), load(b + i, width), total);
  }
  return sum(total);
}

template <class T>
void prepare_head(const AttentionBackward<T>& call, const HeadOperands<T>& head, std::int64_t b,
                  std::int64_t g, std::int64_t r) {
  const std::int64_t row = ((b * call.groups + g) * call.heads_per_group + r) * call.queries;
  const T* query = call.query + call.query_strides.offset(b, g, r);
  const T* gradient = call.context_gradient + call.context_gradient_strides.offset(b, g, r);
  const T* context = call.context + call.context_strides.offset(b, g, r);
  const std::int64_t query_stride = call.query_strides.token;
  const std::int64_t gradient_stride = call.context_gradient_strides.token;
  for (std::int64_t first = 0; first < call.queries; first += query_block) {
    const std::int64_t count = std::min(query_block, call.queries - first);
    const T* q = query + first * query_stride;
    const T* dy = gradient + first * gradient_stride;
    pack_transposed(q, query_stride, head.query_columns + first * call.head_size, query_block, count,
                    call.head_size);
    pack_rows(q, query_stride, head.query_rows + first * call.head_size, call.head_size, count,
              call.head_size, query_block);
    pack_transposed(dy, gradient_stride, head.gradient_columns + first * call.value_size, query_block, count,
                    call.value_size);
    pack_rows(dy, gradient_stride, head.gradient_rows + first * call.value_size, call.value_size, count,
              call.value_size, query_block);
    for (std::int64_t i = 0; i < query_block; ++i) {
      head.log_sum[first + i] = std::numeric_limits<float>::infinity();
      head.delta[first + i] = 0.0F;
      if (i < count) {
        const float log_sum = call.log_sum_exp[row + first + i] * log2_e;
        head.log_sum[first + i] = std::isinf(log_sum) && log_sum < 0.0F ? -log_sum : log_sum;
        head.delta[first + i] = row_product(context + (first + i) * call.context_strides.token,
                                            dy + i * gradient_stride, call.value_size);
        call.delta[row + first + i] = head.delta[first + i];
      }
    }
  }
  std::fill(head.query_gradient, head.query_gradient + call.query_blocks() * query_block * call.head_size,
            0.0F);
}

struct ScoreTransform {
  float factor;   // scores to base-2 exponents
  float softcap;  // 0: none
};

/// Probability and gradient of the score, from score and gradient of the probability.
inline std::pair<Vec, Vec> differentiate(Vec score, Vec gradient, Vec log_sum, Vec delta,
                                         const ScoreTransform& transform) {
  const Vec p = exp2(at::vec::fmsub(score, Vec(transform.factor), log_sum));
  Vec ds = p * (gradient - delta);
  if (transform.softcap > 0.0F) {
    const Vec tanh = at::vec::maximum(score, Vec(-transform.softcap)) * Vec(1.0F / transform.softcap);
    ds = ds * at::vec::fnmadd(tanh, tanh, Vec(1.0F));
  }
  return {p, ds};
}

template <class T>
void differentiate_tile(const Tiles<T>& tiles, const float* log_sums, const float* deltas, std::int64_t keys,
                        const ScoreTransform& transform) {
  Vec log_sum[tile_vectors];
  Vec delta[tile_vectors];
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    log_sum[v] = Vec::loadu(log_sums + v * lanes);
    delta[v] = Vec::loadu(deltas + v * lanes);
  }
  for (std::int64_t j = 0; j < keys; j += pair_size<T>) {
    for (std::int64_t v = 0; v < tile_vectors; ++v) {
      const std::int64_t at = j * query_block + v * lanes;
      const auto [p, ds] =
          differentiate(Vec::loadu(tiles.scores + at), Vec::loadu(tiles.probability_gradient + at),
                        log_sum[v], delta[v], transform);
      store(tiles.probability + at, p);
      store(tiles.score_gradient + at, ds);
#if defined(__AVX512BF16__)
      if constexpr (pair_size<T> == 2) {
        Vec odd_ds(0.0F);
        if (j + 1 < keys) {
          const std::int64_t next = at + query_block;
          const auto [odd_p, odd] =
              differentiate(Vec::loadu(tiles.scores + next), Vec::loadu(tiles.probability_gradient + next),
                            log_sum[v], delta[v], transform);
          store(tiles.probability + next, odd_p);
          store(tiles.score_gradient + next, odd);
          odd_ds = odd;
        }
        store_interleaved(tiles.packed_score_gradient + j * query_block + v * 2 * lanes, ds, odd_ds);
      }
#endif
    }
  }
}

/// Adds what one tile of (key block at `j`) x (query block at `first`) contributes to all three gradients.
template <class T>
void backward_tile(const AttentionBackward<T>& call, const HeadOperands<T>& head, const Tiles<T>& tiles,
                   const T* key, const T* value, const VisibleKeys& visible, std::int64_t j,
                   std::int64_t first) {
  const std::int64_t keys = visible.keys_of_tile(j, call.keys);
  const std::int64_t size = call.head_size;
  const std::int64_t value_size = call.value_size;
  tile_gemm(keys, query_block, size, key + j * call.key_strides.token, call.key_strides.token,
            head.query_columns + first * size, query_block, tiles.scores, query_block, false);
  tile_gemm(keys, query_block, value_size, value + j * call.value_strides.token, call.value_strides.token,
            head.gradient_columns + first * value_size, query_block, tiles.probability_gradient, query_block,
            false);
  if (call.softcap > 0.0F) {
    cap_scores(tiles.scores, keys * query_block, call.scale, call.softcap);
  }
  if (!visible.sees_all(j, keys)) {
    mask_scores(tiles.scores, visible, j, keys);
  }
  const ScoreTransform transform{log2_e * (call.softcap > 0.0F ? 1.0F : call.scale), call.softcap};
  differentiate_tile(tiles, head.log_sum + first, head.delta + first, keys, transform);
  tile_gemm(keys, value_size, query_block, tiles.probability, query_block,
            head.gradient_rows + first * value_size, value_size, tiles.value_gradient + j * value_size,
            value_size, true);
  tile_gemm(keys, size, query_block, tiles.score_gradient, query_block, head.query_rows + first * size, size,
            tiles.key_gradient + j * size, size, true);
  const std::int64_t padded = (keys + pair_size<T> - 1) / pair_size<T> * pair_size<T>;
  tile_gemm(size, query_block, padded, tiles.key_columns, key_block, tiles.packed_score_gradient, query_block,
            head.query_gradient + first * size, query_block, true);
}

template <class T>
void backward_head(const AttentionBackward<T>& call, const HeadOperands<T>& head, const Tiles<T>& tiles,
                   std::int64_t b, std::int64_t g) {
  const T* key = call.key + call.key_strides.offset(b, g, 0);
  const T* value = call.value + call.value_strides.offset(b, g, 0);
  std::vector<VisibleKeys> visible;
  for (std::int64_t first = 0; first < call.queries; first += query_block) {
    visible.emplace_back(call, b, first, std::min(query_block, call.queries - first));
  }
  for (std::int64_t j = 0; j < call.keys; j += key_block) {
    transpose(key + j * call.key_strides.token, call.key_strides.token, tiles.key_columns, key_block,
              std::min(key_block, call.keys - j), call.head_size, key_block,
              reinterpret_cast<T*>(tiles.staging));
    for (std::int64_t block = 0; block < call.query_blocks(); ++block) {
      if (visible[block].sees_any(j, key_block)) {
        backward_tile(call, head, tiles, key, value, visible[block], j, block * query_block);
      }
    }
  }
}

/// to[i, :] = factor · from[i, :].
template <class T>
void write_rows(T* to, std::int64_t stride, const float* from, std::int64_t rows, std::int64_t size,
                float factor) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < size; c += lanes) {
      const std::int64_t width = std::min(lanes, size - c);
      store(to + i * stride + c, load(from + i * size + c, width) * Vec(factor), width);
    }
  }
}

template <class T>
void write_query_gradient(const AttentionBackward<T>& call, const HeadOperands<T>& head, float* staging,
                          std::int64_t b, std::int64_t g, std::int64_t r) {
  const HeadStrides& strides = call.query_gradient_strides;
  for (std::int64_t first = 0; first < call.queries; first += query_block) {
    transpose_units(head.query_gradient + first * call.head_size, query_block, staging, call.head_size,
                    call.head_size, query_block);
    write_rows(call.query_gradient + strides.offset(b, g, r) + first * strides.token, strides.token, staging,
               std::min(query_block, call.queries - first), call.head_size, call.scale);
  }
}

/// Hands out parts of the scratch memory, each starting on a cache line.
class Carver {
 public:
  explicit Carver(float* memory) : memory_(memory) {}
  template <class T>
  T* take(std::int64_t count) {
    auto* part = reinterpret_cast<T*>(memory_);
    memory_ += attention_part_words<T>(count);
    return part;
  }

 private:
  float* memory_;
};

template <class T>
void backward_group(const AttentionBackward<T>& call, std::int64_t b, std::int64_t g, float* scratch) {
  const std::int64_t queries = call.query_blocks() * query_block;
  const std::int64_t keys = call.key_blocks() * key_block;
  const std::int64_t size = call.head_size;
  const std::int64_t value_size = call.value_size;
  Carver carver(scratch);
  const HeadOperands<T> head{carver.take<T>(queries * size),       carver.take<T>(queries * size),
                             carver.take<T>(queries * value_size), carver.take<T>(queries * value_size),
                             carver.take<float>(queries),          carver.take<float>(queries),
                             carver.take<float>(queries * size)};
  Tiles<T> tiles{carver.take<float>(key_block * query_block),
                 carver.take<float>(key_block * query_block),
                 carver.take<T>(key_block * query_block),
                 carver.take<T>(key_block * query_block),
                 carver.take<T>(key_block * query_block),
                 carver.take<T>(key_block * size),
                 carver.take<float>(keys * size),
                 carver.take<float>(keys * value_size),
                 carver.take<float>(query_block * std::max(size, value_size))};
  if constexpr (pair_size<T> == 1) {
    tiles.packed_score_gradient = tiles.score_gradient;  // the packed layout of fp32 is the plain one
  }
  std::fill(tiles.key_gradient, tiles.key_gradient + keys * size, 0.0F);
  std::fill(tiles.value_gradient, tiles.value_gradient + keys * value_size, 0.0F);
  for (std::int64_t r = 0; r < call.heads_per_group; ++r) {
    prepare_head(call, head, b, g, r);
    backward_head(call, head, tiles, b, g);
    write_query_gradient(call, head, tiles.staging, b, g, r);
  }
  write_rows(call.key_gradient + call.key_gradient_strides.offset(b, g, 0), call.key_gradient_strides.token,
             tiles.key_gradient, call.keys, size, call.scale);
  write_rows(call.value_gradient + call.value_gradient_strides.offset(b, g, 0),
             call.value_gradient_strides.token, tiles.value_gradient, call.keys, value_size, 1.0F);
}

}  // namespace

template <>
void attention_backward_group<PRIMUS_ISA, float>(const AttentionBackward<float>& call, std::int64_t b,
                                                 std::int64_t g, float* scratch) {
  backward_group(call, b, g, scratch);
}

#if defined(__AVX512BF16__)
template <>
void attention_backward_group<PRIMUS_ISA, BFloat16>(const AttentionBackward<BFloat16>& call, std::int64_t b,
                                                    std::int64_t g, float* scratch) {
  backward_group(call, b, g, scratch);
}
#endif

}  // namespace primus::kernels::cpu
