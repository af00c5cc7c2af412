#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/dataset.h"

namespace primus::data {

/// The datasets of one of Megatron's data-path arguments, and what to say of it when it is wrong.
struct DataPaths {
  /// Path prefixes, or weights and prefixes in turn; see `config::parse_blend`.
  std::vector<std::string> items;
  /// Where it was set.
  Where where = {};
  /// Whether the items were one text.
  bool split_at_blanks = false;

  bool empty() const { return items.empty(); }
};

/// Megatron's data arguments. At most one of `mock_data`, `data_path`, and the paths per split may be given.
struct DataConfig {
  bool mock_data = false;
  DataPaths data_path;
  DataPaths train_data_path, valid_data_path, test_data_path;
  /// Where the source of the data was set, or left unset.
  Where source_where = {};
  /// How `data_path` is divided, and where that was set; empty: Megatron's default "969, 30, 1".
  std::string split;
  Where split_where = {};
  std::filesystem::path data_cache_path;
  Where data_cache_where = {};
  std::int64_t seq_length = 0;
  std::uint32_t seed = 1234;
  bool drop_last_partial_validation_sequence = true;
  /// How many more samples than its share each dataset of a weighted blend gets, so that rounding never
  /// exhausts it.
  double mid_level_dataset_surplus = 0.005;
  /// Only for mock data: the tokenizer's size and end-of-document id.
  std::int64_t vocab_size = 0;
  std::int64_t eod = 0;
};

/// The samples wanted of each split; nullopt: one epoch.
struct SplitSizes {
  std::optional<std::int64_t> train, valid, test;
};

/// A split of zero width or of no wanted samples is null.
struct Datasets {
  std::unique_ptr<Dataset> train, valid, test;
};

/// Megatron's sizes: `train_samples`, and whole evaluations of `eval_iters` global batches before and after
/// every `eval_interval` iterations.
SplitSizes split_sizes(std::int64_t train_samples, std::int64_t train_iters, std::int64_t eval_interval,
                       std::int64_t eval_iters, std::int64_t global_batch_size);

/// Throws UserError when a configuration names no data or more than one source of it, or a cache that is no
/// folder.
void check(const DataConfig& config);

/// Throws UserError when no data, or no share of it, is for training.
void check_has_training_split(const DataConfig& config);

/// The files of the datasets that are not on this machine, one message each with the place where the dataset
/// was named.
std::vector<std::string> missing_files(const DataConfig& config);

/// Builds the datasets as Megatron-Core's BlendedMegatronDatasetBuilder does. Throws UserError for missing or
/// damaged files, contradicting arguments, and splits without enough tokens, with the place where they were
/// asked for.
Datasets build_datasets(const DataConfig& config, const SplitSizes& sizes);

}  // namespace primus::data
