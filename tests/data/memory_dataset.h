#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"

namespace primus::data::testing {

/// Samples written down in a test.
class MemoryDataset : public Dataset {
 public:
  explicit MemoryDataset(std::vector<std::vector<std::int64_t>> samples) : samples_(std::move(samples)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  std::int64_t sequence_length() const override {
    return static_cast<std::int64_t>(samples_.front().size()) - 1;
  }
  void read(std::int64_t index, std::span<std::int64_t> tokens) const override {
    std::ranges::copy(samples_[static_cast<std::size_t>(index)], tokens.begin());
  }
  std::string description() const override { return "samples of a test"; }
  nlohmann::json identity() const override { return samples_; }

 private:
  std::vector<std::vector<std::int64_t>> samples_;
};

}  // namespace primus::data::testing
