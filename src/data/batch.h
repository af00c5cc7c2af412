#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace primus::data {

/// A micro-batch of b samples of s tokens; all matrices are [b, s], row-major.
struct Batch {
  std::int64_t micro_batch_size = 0;
  std::int64_t sequence_length = 0;
  /// Which samples of the dataset these are: [b].
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> tokens;
  /// The token after each input.
  std::vector<std::int64_t> labels;
  /// 1 where the loss counts, otherwise 0.
  std::vector<float> loss_mask;
  std::vector<std::int64_t> position_ids;
  /// With reset_attention_mask, for each row the positions at which a document begins, the first 0: attention
  /// does not look back across them. Otherwise empty.
  std::vector<std::vector<std::int64_t>> document_starts;
};

struct BatchOptions {
  /// No token id may be larger than this minus one.
  std::int64_t vocab_size = 0;
  /// Megatron's `eod_mask_loss`, `reset_position_ids`, `reset_attention_mask`: no loss for what follows an
  /// end-of-document token; positions count from 0 after it; attention stops at it.
  bool eod_mask_loss = false;
  bool reset_position_ids = false;
  bool reset_attention_mask = false;
  /// Needed when one of the three is set.
  std::int64_t eod = -1;
};

/// Reads the samples and derives labels, masks and positions as Megatron-Core's GPTDataset does: padding
/// becomes token 0 without loss. Throws UserError for a token id outside the vocabulary.
Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> samples, const BatchOptions& options);

}  // namespace primus::data
