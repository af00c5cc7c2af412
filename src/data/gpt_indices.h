#pragma once

#include <cstdint>
#include <optional>

#include "data/gpt_dataset.h"

namespace primus::data {

/// What the indices of a GptDataset depend on.
struct IndexRequest {
  const SequenceSource& source;
  SequenceRange range;
  std::optional<std::int64_t> sample_count;
  std::int64_t sequence_length;
  std::uint32_t seed;
  bool keep_partial_sample;
  std::int64_t tokens_per_epoch;
  std::int64_t epochs;
};

/// The number of passes over `tokens_per_epoch` tokens that `sample_count` samples take.
std::int64_t count_epochs(std::int64_t tokens_per_epoch, std::optional<std::int64_t> sample_count,
                          std::int64_t sequence_length);

/// Builds the document, sample and shuffle index as Megatron-Core does (gpt_dataset.py, helpers.cpp).
GptDataset::Indices build_indices(const IndexRequest& request);

}  // namespace primus::data
