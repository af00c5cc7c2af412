#pragma once

// What attention's forward and backward do alike with a tile of scores [keys, query_block].

#include <limits>

#include "kernels/cpu/isa/attention.h"
#include "kernels/cpu/isa/pack.h"

namespace primus::kernels::cpu {
namespace {

constexpr std::int64_t tile_vectors = query_block / lanes;

/// The keys that the queries of one block see: column q sees [first[q], end[q]).
struct VisibleKeys {
  float first[query_block];
  float end[query_block];
  /// Some query sees a key in [begin, limit) only; all see those in [full_begin, full_end).
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t limit = 0;
  std::int64_t full_begin = 0;
  std::int64_t full_end = std::numeric_limits<std::int64_t>::max();

  template <class T>
  VisibleKeys(const AttentionProblem<T>& problem, std::int64_t b, std::int64_t first_query,
              std::int64_t count) {
    const std::int64_t row = b * problem.queries + first_query;
    for (std::int64_t q = 0; q < query_block; ++q) {
      // Columns beyond the last query see nothing, and do not count as partly masked.
      const std::int64_t low = q < count ? problem.first_key[row + q] : 0;
      const std::int64_t high = q < count ? problem.end_key[row + q] : 0;
      first[q] = static_cast<float>(low);
      end[q] = static_cast<float>(high);
      if (q < count) {
        full_begin = std::max(full_begin, low);
        full_end = std::min(full_end, high);
      }
      if (low < high) {
        begin = std::min(begin, low);
        limit = std::max(limit, high);
      }
    }
  }

  /// How many keys of the block at `key` a tile must hold. In steps of 32, because a tile product is made at
  /// run time for each shape.
  std::int64_t keys_of_tile(std::int64_t key, std::int64_t all_keys) const {
    const std::int64_t seen = (limit - key + 31) / 32 * 32;
    return std::min({key_block, seen, all_keys - key});
  }
  bool sees_any(std::int64_t key, std::int64_t keys) const { return key < limit && key + keys > begin; }
  bool sees_all(std::int64_t key, std::int64_t keys) const {
    return key >= full_begin && key + keys <= full_end;
  }
};

/// Scores of keys key .. key + keys that a query does not see become -inf.
inline void mask_scores(float* scores, const VisibleKeys& visible, std::int64_t key, std::int64_t keys) {
  const Vec hidden(-std::numeric_limits<float>::infinity());
  for (std::int64_t v = 0; v < tile_vectors; ++v) {
    const Vec first = Vec::loadu(visible.first + v * lanes);
    const Vec end = Vec::loadu(visible.end + v * lanes);
    for (std::int64_t j = 0; j < keys; ++j) {
      float* score = scores + j * query_block + v * lanes;
      const Vec position(static_cast<float>(key + j));
      const Vec seen = (position >= first) & (position < end);
      Vec::blendv(hidden, Vec::loadu(score), seen).store(score);
    }
  }
}

/// Scores become softcap·tanh(scale·score / softcap).
inline void cap_scores(float* scores, std::int64_t count, float scale, float softcap) {
  for (std::int64_t i = 0; i < count; i += lanes) {
    (Vec(softcap) * (Vec::loadu(scores + i) * Vec(scale / softcap)).tanh()).store(scores + i);
  }
}

}  // namespace
}  // namespace primus::kernels::cpu
