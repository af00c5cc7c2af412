#include "data/datasets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "config/blend.h"
#include "core/error.h"
#include "data/blended_dataset.h"
#include "data/gpt_dataset.h"
#include "data/indexed_dataset.h"
#include "data/mock_source.h"
#include "data/split.h"

namespace primus::data {

namespace {

using Size = std::optional<std::int64_t>;
using Source = std::shared_ptr<const SequenceSource>;

constexpr std::string_view default_split = "969, 30, 1";
constexpr std::string_view mock_split = "1,1,1";

/// Builds one split: each path opened once and cut by the same fraction.
class SplitBuilder {
 public:
  SplitBuilder(const DataConfig& config, Split split, const Fraction& fraction)
      : config_(config), split_(split), fraction_(fraction) {}

  std::unique_ptr<Dataset> build(const config::Blend& blend, const std::vector<Source>& sources,
                                 Size size) const {
    if (size && *size == 0) return nullptr;
    if (sources.size() == 1 && !blend.weights) return build_one(sources[0], size);
    return blend.weights ? build_weighted(*blend.weights, sources, size) : build_proportional(sources, size);
  }

  std::unique_ptr<Dataset> build_one(const Source& source, Size size) const {
    return std::make_unique<GptDataset>(
        source, range_of(fraction_, source->sequence_count()), size, split_,
        GptDatasetOptions{config_.seq_length, config_.seed, !config_.drop_last_partial_validation_sequence,
                          config_.data_cache_path});
  }

 private:
  std::unique_ptr<Dataset> build_weighted(const std::vector<double>& weights,
                                          const std::vector<Source>& sources, Size size) const {
    if (!size) throw_user_error("weights in the {} data path need a number of samples", to_string(split_));
    const std::vector<double> shares = normalized(weights);
    std::vector<std::unique_ptr<Dataset>> datasets;
    std::int64_t total = 0;
    for (std::size_t d = 0; d < sources.size(); ++d) {
      const double wanted = std::ceil(static_cast<double>(*size) * shares[d]);
      datasets.push_back(build_one(sources[d], static_cast<std::int64_t>(std::ceil(
                                                   wanted * (1 + config_.mid_level_dataset_surplus)))));
      total += static_cast<std::int64_t>(wanted);
    }
    return std::make_unique<BlendedDataset>(std::move(datasets),
                                            build_blend_index(normalized(shares), total));
  }

  std::unique_ptr<Dataset> build_proportional(const std::vector<Source>& sources, Size size) const {
    std::vector<std::unique_ptr<Dataset>> datasets;
    std::vector<std::int64_t> sizes;
    for (const Source& source : sources) {
      datasets.push_back(build_one(source, std::nullopt));
      sizes.push_back(datasets.back()->size());
    }
    const std::int64_t available = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    BlendIndex index =
        size ? build_blend_index(normalized({sizes.begin(), sizes.end()}), std::min(*size, available))
             : build_exhaustive_blend_index(sizes);
    return std::make_unique<BlendedDataset>(std::move(datasets), std::move(index));
  }

  const DataConfig& config_;
  Split split_;
  Fraction fraction_;
};

/// How the argument was read, where a path with blanks may have been meant.
std::string note_on_blanks(const DataPaths& paths, const config::Blend& blend) {
  const auto has_blank = [](const std::string& item) { return item.find(' ') != std::string::npos; };
  const bool divided = paths.split_at_blanks && blend.paths.size() > 1 && !blend.weights;
  if (!divided && std::ranges::none_of(blend.paths, has_blank)) return "";
  return fmt::format(" ({})", config::rule_of_blanks);
}

std::vector<Source> open_all(const DataPaths& paths, const config::Blend& blend) {
  if (blend.paths.size() > std::numeric_limits<std::int16_t>::max())
    throw_user_error("a blend of {} datasets is too large; merge some with `primus-cli data merge`",
                     blend.paths.size());
  std::vector<Source> sources;
  for (const std::string& path : blend.paths) {
    try {
      auto dataset = std::make_shared<IndexedDataset>(path);
      if (dataset->token_count() == 0)
        throw_user_error("dataset {} has no tokens: its {} documents are empty", path,
                         dataset->document_count());
      sources.push_back(std::move(dataset));
    } catch (const UserError& error) {
      throw UserError(error.what() + note_on_blanks(paths, blend));
    }
  }
  return sources;
}

std::array<std::unique_ptr<Dataset>, 3> build_all(const DataConfig& config, const config::Blend& blend,
                                                  const std::vector<Source>& sources, std::string_view split,
                                                  const std::array<Size, 3>& sizes) {
  const SplitFractions fractions = split_fractions(split);
  std::array<std::unique_ptr<Dataset>, 3> datasets;
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    if (fractions[i])
      datasets[i] =
          SplitBuilder(config, static_cast<Split>(i), *fractions[i]).build(blend, sources, sizes[i]);
  }
  return datasets;
}

std::array<std::unique_ptr<Dataset>, 3> build_from_one(const DataConfig& config,
                                                       const std::array<Size, 3>& sizes) {
  if (config.mock_data) {
    const std::vector<Source> sources = {std::make_shared<MockSource>(config.vocab_size, config.eod)};
    return build_all(config, {{"mock"}, std::nullopt}, sources, mock_split, sizes);
  }
  return blame(config.data_path.where, [&] {
    const config::Blend blend = config::parse_blend(config.data_path.items);
    return build_all(config, blend, open_all(config.data_path, blend),
                     config.split.empty() ? default_split : std::string_view(config.split), sizes);
  });
}

std::unique_ptr<Dataset> build_separate(const DataConfig& config, Split split, const DataPaths& paths,
                                        Size size) {
  if (paths.empty()) return nullptr;
  return blame(paths.where, [&] {
    config::Blend blend = config::parse_blend(paths.items);
    if (blend.paths.size() == 1) blend.weights.reset();
    return SplitBuilder(config, split, {0.0, 1.0}).build(blend, open_all(paths, blend), size);
  });
}

}  // namespace

void check(const DataConfig& config) {
  const bool per_split =
      !config.train_data_path.empty() || !config.valid_data_path.empty() || !config.test_data_path.empty();
  const int given = int{config.mock_data} + int{!config.data_path.empty()} + int{per_split};
  if (given > 1)
    throw UserError(config.source_where,
                    "give only one of mock_data, data_path, and train/valid/test_data_path");
  if (given == 0)
    throw UserError(config.source_where,
                    "no data: set data_path, or train_data_path and valid_data_path, or mock_data: true");
  if (per_split && !config.split.empty())
    throw UserError(config.split_where,
                    "'split' divides 'data_path' and cannot be combined with per-split paths");
  std::error_code ignored;
  const auto& cache = config.data_cache_path;
  if (std::filesystem::exists(cache, ignored) && !std::filesystem::is_directory(cache, ignored))
    throw UserError(config.data_cache_where,
                    fmt::format("data_cache_path: {} is a file: name a folder", cache.string()));
}

void check_has_training_split(const DataConfig& config) {
  if (config.mock_data) return;
  if (config.data_path.empty() && config.train_data_path.empty())
    throw UserError(config.source_where,
                    "there is no data to train on: set train_data_path, or skip_train: true");
  if (!config.data_path.empty() && !config.split.empty() && !split_fractions(config.split)[0])
    throw UserError(
        config.split_where,
        fmt::format("split {} leaves no data to train on: its first number is the share for training",
                    config.split));
}

std::vector<std::string> missing_files(const DataConfig& config) {
  std::vector<std::string> missing;
  for (const DataPaths* paths :
       {&config.data_path, &config.train_data_path, &config.valid_data_path, &config.test_data_path}) {
    const config::Blend blend = blame(paths->where, [&] { return config::parse_blend(paths->items); });
    for (const std::string& path : blend.paths) {
      for (const std::string& message : missing_files(path))
        missing.push_back(to_string(paths->where) + ": " + message + note_on_blanks(*paths, blend));
    }
  }
  return missing;
}

SplitSizes split_sizes(std::int64_t train_samples, std::int64_t train_iters, std::int64_t eval_interval,
                       std::int64_t eval_iters, std::int64_t global_batch_size) {
  const std::int64_t evaluations = eval_interval > 0 ? train_iters / eval_interval + 1 : 1;
  return {train_samples, evaluations * eval_iters * global_batch_size, eval_iters * global_batch_size};
}

Datasets build_datasets(const DataConfig& config, const SplitSizes& sizes) {
  check(config);
  if (config.mock_data || !config.data_path.empty()) {
    auto [train, valid, test] = build_from_one(config, {sizes.train, sizes.valid, sizes.test});
    return {std::move(train), std::move(valid), std::move(test)};
  }
  return {build_separate(config, Split::train, config.train_data_path, sizes.train),
          build_separate(config, Split::valid, config.valid_data_path, sizes.valid),
          build_separate(config, Split::test, config.test_data_path, sizes.test)};
}

}  // namespace primus::data
