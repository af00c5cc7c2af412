// Flash attention, forward (Dao, "FlashAttention-2", 2023), on tiles of scores [keys, queries]: with the
// queries along the vector, running maximum and sum of the softmax are vectors as well, and the product with
// the values, valueᵀ·probability, takes the probabilities as its packed operand in the order they are made.

#include <cmath>

#include "kernels/cpu/isa/attention.h"
#include "kernels/cpu/isa/attention_tile.h"

namespace primus::kernels::cpu {
namespace {

/// Running softmax of one block of queries. Scores are in units of 1 / `factor` of base-2 exponents.
struct RunningSoftmax {
  float maximum[query_block];
  float sum[query_block];
  /// By which the context so far must be multiplied.
  float correction[query_block];
};

/// Raises the maximum to that of the tile; returns whether earlier results must be corrected.
inline bool raise_maximum(RunningSoftmax& state, const float* scores, std::int64_t keys, float factor) {
  Vec tile[tile_vectors];
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    tile[v] = Vec::loadu(scores + v * lanes);
  }
  for (std::int64_t j = 1; j < keys; ++j) {
    for (std::int64_t v = 0; v < tile_vectors; ++v) {
      tile[v] = at::vec::maximum(tile[v], Vec::loadu(scores + j * query_block + v * lanes));
    }
  }
  bool corrects = false;
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    const Vec old = Vec::loadu(state.maximum + v * lanes);
    const Vec raised = at::vec::maximum(old, tile[v] * Vec(factor));
    raised.store(state.maximum + v * lanes);
    // Both -inf where a query has seen no key yet: there is nothing to correct.
    const Vec same = old == raised;
    const Vec correction = Vec::blendv(exp2(old - raised), Vec(1.0F), same);
    correction.store(state.correction + v * lanes);
    (Vec::loadu(state.sum + v * lanes) * correction).store(state.sum + v * lanes);
  }
  for (float x : state.correction) {
    corrects |= x != 1.0F;
  }
  return corrects;
}

/// Scores become probabilities, up to the sum that is still running, in the packed operand's layout; rows
/// keys .. padded_keys become zero.
template <class T>
void exponentiate(RunningSoftmax& state, const float* scores, T* probabilities, std::int64_t keys,
                  float factor) {
  Vec offset[tile_vectors];
  Vec sum[tile_vectors];
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    const Vec maximum = Vec::loadu(state.maximum + v * lanes);
    const Vec nothing_seen = maximum == Vec(-std::numeric_limits<float>::infinity());
    offset[v] = Vec::blendv(maximum.neg(), Vec(0.0F), nothing_seen);
    sum[v] = Vec::loadu(state.sum + v * lanes);
  }
  const Vec factors(factor);
  if constexpr (pair_size<T> == 1) {
    for (std::int64_t j = 0; j < keys; ++j) {
      for (std::int64_t v = 0; v < tile_vectors; ++v) {
        const std::int64_t at = j * query_block + v * lanes;
        const Vec p = exp2(at::vec::fmadd(Vec::loadu(scores + at), factors, offset[v]));
        sum[v] = sum[v] + p;
        p.store(probabilities + at);
      }
    }
  } else {
#if defined(__AVX512BF16__)
    for (std::int64_t j = 0; j < keys; j += 2) {
      for (std::int64_t v = 0; v < tile_vectors; ++v) {
        const std::int64_t at = j * query_block + v * lanes;
        const Vec even = exp2(at::vec::fmadd(Vec::loadu(scores + at), factors, offset[v]));
        Vec odd(0.0F);
        if (j + 1 < keys) {
          odd = exp2(at::vec::fmadd(Vec::loadu(scores + at + query_block), factors, offset[v]));
        }
        sum[v] = sum[v] + even + odd;
        store_interleaved(probabilities + j * query_block + v * 2 * lanes, even, odd);
      }
    }
#endif
  }
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    sum[v].store(state.sum + v * lanes);
  }
}

inline void correct_context(float* context, const RunningSoftmax& state, std::int64_t value_size) {
  for (std::int64_t i = 0; i < value_size; ++i) {
    for (std::int64_t v = 0; v < tile_vectors; ++v) {
      float* at = context + i * query_block + v * lanes;
      (Vec::loadu(at) * Vec::loadu(state.correction + v * lanes)).store(at);
    }
  }
}

/// Divides the context [value_size, query_block] by the softmax's sum, sink included, and writes its rows and
/// the logarithm of the sum.
template <class T>
void finish_block(const AttentionForward<T>& call, const RunningSoftmax& state, float* context, float* row,
                  std::int64_t b, std::int64_t g, std::int64_t r, std::int64_t first_query,
                  std::int64_t count) {
  constexpr float ln_2 = 0.6931471805599453F;
  const std::int64_t head = g * call.heads_per_group + r;
  float* log_sum_exp =
      call.log_sum_exp + ((b * call.groups + g) * call.heads_per_group + r) * call.queries + first_query;
  float inverse[query_block] = {};
  for (std::int64_t q = 0; q < count; ++q) {
    float sum = state.sum[q];
    log_sum_exp[q] =
        sum > 0.0F ? (state.maximum[q] + std::log2(sum)) * ln_2 : -std::numeric_limits<float>::infinity();
    if (call.sinks != nullptr && sum > 0.0F) {
      sum += std::exp2(call.sinks[head] * log2_e - state.maximum[q]);
    }
    inverse[q] = sum > 0.0F ? 1.0F / sum : 0.0F;
  }
  transpose_units(context, query_block, row, call.value_size, call.value_size, query_block);
  T* to = call.context + call.context_strides.offset(b, g, r) + first_query * call.context_strides.token;
  for (std::int64_t q = 0; q < count; ++q) {
    const Vec factor(inverse[q]);
    for (std::int64_t i = 0; i < call.value_size; i += lanes) {
      const std::int64_t width = std::min(lanes, call.value_size - i);
      store(to + q * call.context_strides.token + i, load(row + q * call.value_size + i, width) * factor,
            width);
    }
  }
}

template <class T>
void forward_block(const AttentionForward<T>& call, std::int64_t b, std::int64_t g, std::int64_t r,
                   std::int64_t block, float* scratch) {
  const std::int64_t first_query = block * query_block;
  const std::int64_t count = std::min(query_block, call.queries - first_query);
  auto* packed_query = reinterpret_cast<T*>(scratch);
  float* scores = scratch + call.head_size * query_block;
  auto* probabilities = reinterpret_cast<T*>(scores + key_block * query_block);
  float* context = scores + 2 * key_block * query_block;
  float* row = context + call.value_size * query_block;

  const T* query = call.query + call.query_strides.offset(b, g, r) + first_query * call.query_strides.token;
  pack_transposed(query, call.query_strides.token, packed_query, query_block, count, call.head_size);
  const T* key = call.key + call.key_strides.offset(b, g, 0);
  const T* value = call.packed_value + (b * call.groups + g) * call.value_size * call.padded_keys;

  RunningSoftmax state;
  std::fill(state.maximum, state.maximum + query_block, -std::numeric_limits<float>::infinity());
  std::fill(state.sum, state.sum + query_block, 0.0F);
  std::fill(context, context + call.value_size * query_block, 0.0F);
  const float factor = log2_e * (call.softcap > 0.0F ? 1.0F : call.scale);

  const VisibleKeys visible(call, b, first_query, count);
  for (std::int64_t j = visible.begin / key_block * key_block; j < visible.limit; j += key_block) {
    const std::int64_t keys = visible.keys_of_tile(j, call.keys);
    tile_gemm(keys, query_block, call.head_size, key + j * call.key_strides.token, call.key_strides.token,
              packed_query, query_block, scores, query_block, false);
    if (call.softcap > 0.0F) {
      cap_scores(scores, keys * query_block, call.scale, call.softcap);
    }
    if (!visible.sees_all(j, keys)) {
      mask_scores(scores, visible, j, keys);
    }
    if (raise_maximum(state, scores, keys, factor)) {
      correct_context(context, state, call.value_size);
    }
    exponentiate(state, scores, probabilities, keys, factor);
    const std::int64_t padded = (keys + pair_size<T> - 1) / pair_size<T> * pair_size<T>;
    tile_gemm(call.value_size, query_block, padded, value + j, call.padded_keys, probabilities, query_block,
              context, query_block, true);
  }
  finish_block(call, state, context, row, b, g, r, first_query, count);
}

template <class T>
void pack_values(const AttentionForward<T>& call, std::int64_t task, float* scratch) {
  const std::int64_t b = task / call.groups;
  const std::int64_t g = task % call.groups;
  transpose(call.value + call.value_strides.offset(b, g, 0), call.value_strides.token,
            call.packed_value + task * call.value_size * call.padded_keys, call.padded_keys, call.keys,
            call.value_size, call.padded_keys, reinterpret_cast<T*>(scratch));
}

}  // namespace

template <>
void attention_pack_values<PRIMUS_ISA, float>(const AttentionForward<float>& call, std::int64_t task,
                                              float* scratch) {
  pack_values(call, task, scratch);
}

template <>
void attention_forward_block<PRIMUS_ISA, float>(const AttentionForward<float>& call, std::int64_t b,
                                                std::int64_t g, std::int64_t r, std::int64_t block,
                                                float* scratch) {
  forward_block(call, b, g, r, block, scratch);
}

#if defined(__AVX512BF16__)
template <>
void attention_pack_values<PRIMUS_ISA, BFloat16>(const AttentionForward<BFloat16>& call, std::int64_t task,
                                                 float* scratch) {
  pack_values(call, task, scratch);
}

template <>
void attention_forward_block<PRIMUS_ISA, BFloat16>(const AttentionForward<BFloat16>& call, std::int64_t b,
                                                   std::int64_t g, std::int64_t r, std::int64_t block,
                                                   float* scratch) {
  forward_block(call, b, g, r, block, scratch);
}
#endif

}  // namespace primus::kernels::cpu
