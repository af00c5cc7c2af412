#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace primus::data {

/// Which sample of which dataset comes i-th in a blend.
struct BlendIndex {
  std::vector<std::int16_t> dataset;
  std::vector<std::int64_t> sample;
};

/// Megatron's greedy blending: at each step the dataset that lags most behind its weight, the first of
/// equals. `weights` sum to one.
BlendIndex build_blend_index(const std::vector<double>& weights, std::int64_t size);

/// The same with exactly `sizes[d]` samples of each dataset d.
BlendIndex build_exhaustive_blend_index(const std::vector<std::int64_t>& sizes);

/// Megatron-Core's BlendedDataset: draws from several datasets in a fixed proportion.
class BlendedDataset : public Dataset {
 public:
  /// Throws UserError when the index asks a dataset for more samples than it has.
  BlendedDataset(std::vector<std::unique_ptr<Dataset>> datasets, BlendIndex index);

  std::int64_t size() const override { return static_cast<std::int64_t>(index_.dataset.size()); }
  std::int64_t sequence_length() const override { return datasets_.front()->sequence_length(); }
  void read(std::int64_t index, std::span<std::int64_t> tokens) const override;
  std::string description() const override;

  const BlendIndex& index() const { return index_; }

 private:
  std::vector<std::unique_ptr<Dataset>> datasets_;
  BlendIndex index_;
};

}  // namespace primus::data
