#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Where the rows of one head lie in a tensor [token, batch, group, head in group, size], in elements; the
/// last stride is 1.
struct HeadStrides {
  std::int64_t token = 0;
  std::int64_t batch = 0;
  std::int64_t group = 0;
  std::int64_t head = 0;
  std::int64_t offset(std::int64_t b, std::int64_t g, std::int64_t r) const {
    return b * batch + g * group + r * head;
  }
};

/// What forward and backward share. T is bf16 or fp32; head sizes are multiples of pair_size<T>.
template <class T>
struct AttentionProblem {
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t batch = 0;
  std::int64_t groups = 0;
  std::int64_t heads_per_group = 0;
  std::int64_t head_size = 0;
  std::int64_t value_size = 0;
  float scale = 1.0F;
  float softcap = 0.0F;
  /// Query i of sample b sees the keys in [first_key[b·queries + i], end_key[...]).
  const std::int32_t* first_key = nullptr;
  const std::int32_t* end_key = nullptr;
  const T* query = nullptr;
  const T* key = nullptr;
  const T* value = nullptr;
  HeadStrides query_strides;
  HeadStrides key_strides;
  HeadStrides value_strides;
};

/// Queries per block, the width of every tile: scores are kept as [key, query], so that the softmax runs down
/// the columns and never across a vector.
inline constexpr std::int64_t query_block = 64;
/// Keys per block.
inline constexpr std::int64_t key_block = 128;

/// 32-bit words of `count` elements of T, in whole cache lines.
template <class T>
constexpr std::int64_t attention_part_words(std::int64_t count) {
  return (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 16;
}

template <class T>
struct AttentionForward : AttentionProblem<T> {
  /// [batch, group, value_size, padded_keys]: values transposed by attention_pack_values.
  T* packed_value = nullptr;
  std::int64_t padded_keys = 0;
  /// fp32 [groups · heads_per_group], a logit per head beside those of the keys; null: none.
  const float* sinks = nullptr;
  T* context = nullptr;
  HeadStrides context_strides;
  /// fp32 [batch, group, head in group, query], without the sinks.
  float* log_sum_exp = nullptr;

  std::int64_t query_blocks() const { return (this->queries + query_block - 1) / query_block; }
  /// 32-bit words of scratch memory that a task needs.
  std::int64_t scratch_words() const {
    return query_block * (this->head_size + 2 * this->value_size + 2 * key_block);
  }
};

/// Fills packed_value of task `task` out of batch · groups.
template <Isa isa, class T>
void attention_pack_values(const AttentionForward<T>& call, std::int64_t task, float* scratch);

/// Computes query block `block` of one head.
template <Isa isa, class T>
void attention_forward_block(const AttentionForward<T>& call, std::int64_t b, std::int64_t g, std::int64_t r,
                             std::int64_t block, float* scratch);

template <class T>
struct AttentionBackward : AttentionProblem<T> {
  const T* context = nullptr;
  const T* context_gradient = nullptr;
  /// Of the scores and, where there are sinks, of those as well.
  const float* log_sum_exp = nullptr;
  HeadStrides context_strides;
  HeadStrides context_gradient_strides;
  T* query_gradient = nullptr;
  T* key_gradient = nullptr;
  T* value_gradient = nullptr;
  HeadStrides query_gradient_strides;
  HeadStrides key_gradient_strides;
  HeadStrides value_gradient_strides;
  /// fp32 [batch, group, head in group, query]: receives Σ context · context_gradient.
  float* delta = nullptr;

  std::int64_t query_blocks() const { return (this->queries + query_block - 1) / query_block; }
  std::int64_t key_blocks() const { return (this->keys + key_block - 1) / key_block; }
  std::int64_t scratch_words() const {
    const std::int64_t sizes = this->head_size + this->value_size;
    const std::int64_t q = query_blocks() * query_block;
    return attention_part_words<T>(q * this->head_size) * 2 +
           attention_part_words<T>(q * this->value_size) * 2 + q * (2 + this->head_size) +
           2 * key_block * query_block + attention_part_words<T>(key_block * query_block) * 3 +
           attention_part_words<T>(key_block * this->head_size) + key_blocks() * key_block * sizes +
           query_block * sizes;
  }
};

/// Computes all gradients of one group: its key, its value and the queries of its heads.
template <Isa isa, class T>
void attention_backward_group(const AttentionBackward<T>& call, std::int64_t b, std::int64_t g,
                              float* scratch);

}  // namespace primus::kernels::cpu
