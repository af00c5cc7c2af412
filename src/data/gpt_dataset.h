#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "data/index_array.h"

namespace primus::data {

struct GptDatasetOptions {
  /// `seq_length`: inputs per sample; a sample holds one token more.
  std::int64_t sequence_length = 0;
  /// `seed`.
  std::uint32_t seed = 1234;
  /// Whether the tokens that are left over at the end make a last, padded validation sample
  /// (the negation of `drop_last_partial_validation_sequence`).
  bool keep_partial_validation_sample = false;
  /// `data_cache_path`: where the indices are kept from run to run; empty: nowhere.
  std::filesystem::path cache;
};

/// The first and last-plus-one of a contiguous range of sequences.
struct SequenceRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Megatron-Core's GPTDataset: the documents of as many epochs as are needed, shuffled, laid end to end and
/// cut into samples of equal length, which are shuffled in turn. Three indices say where a sample's tokens
/// are; they equal numpy's and Megatron's bit for bit.
class GptDataset : public Dataset {
 public:
  /// The three indices, named as Megatron names their files.
  struct Indices {
    /// Sequences in the order in which they are laid end to end.
    IndexArray document;
    /// (position in `document`, token offset) where each sample begins, and where the last one ends.
    IndexArray sample;
    /// Which sample is drawn i-th.
    IndexArray shuffle;
  };

  /// `sample_count`: at least so many samples, from several epochs if need be; nullopt: one epoch. Throws
  /// UserError when the range does not hold enough tokens for one sample.
  GptDataset(std::shared_ptr<const SequenceSource> source, SequenceRange range,
             std::optional<std::int64_t> sample_count, Split split, const GptDatasetOptions& options);

  std::int64_t size() const override { return indices_.sample.size() / 2 - 1; }
  std::int64_t sequence_length() const override { return options_.sequence_length; }
  void read(std::int64_t index, std::span<std::int64_t> tokens) const override;
  std::string description() const override;
  nlohmann::json identity() const override;

  const Indices& indices() const { return indices_; }
  std::int64_t tokens_per_epoch() const { return tokens_per_epoch_; }
  std::int64_t epochs() const { return epochs_; }

 private:
  std::string cache_key() const;
  std::optional<Indices> load() const;
  void save() const;

  std::shared_ptr<const SequenceSource> source_;
  SequenceRange range_;
  std::optional<std::int64_t> sample_count_;
  Split split_;
  GptDatasetOptions options_;
  std::int64_t tokens_per_epoch_ = 0;
  std::int64_t epochs_ = 1;
  Indices indices_;
};

}  // namespace primus::data
