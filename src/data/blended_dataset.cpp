#include "data/blended_dataset.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"

namespace primus::data {

namespace {

/// The dataset of `candidates` whose share so far lags most behind its weight.
std::size_t most_lagging(const std::vector<double>& weights, const std::vector<std::int64_t>& taken,
                         std::int64_t step, const std::vector<std::size_t>& candidates) {
  const double position = std::max(static_cast<double>(step), 1.0);
  std::size_t best = candidates.front();
  double largest = std::numeric_limits<double>::lowest();
  for (const std::size_t d : candidates) {
    const double lag = weights[d] * position - static_cast<double>(taken[d]);
    if (lag > largest) {
      largest = lag;
      best = d;
    }
  }
  return best;
}

void take(BlendIndex& index, std::vector<std::int64_t>& taken, std::size_t dataset) {
  index.dataset.push_back(static_cast<std::int16_t>(dataset));
  index.sample.push_back(taken[dataset]++);
}

}  // namespace

BlendIndex build_blend_index(const std::vector<double>& weights, std::int64_t size) {
  BlendIndex index{.weights = weights, .dataset = {}, .sample = {}};
  std::vector<std::int64_t> taken(weights.size());
  std::vector<std::size_t> all(weights.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (std::int64_t step = 0; step < size; ++step)
    take(index, taken, most_lagging(weights, taken, step, all));
  return index;
}

BlendIndex build_exhaustive_blend_index(const std::vector<std::int64_t>& sizes) {
  const auto total = static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}));
  std::vector<double> weights;
  std::vector<std::size_t> unspent;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    weights.push_back(static_cast<double>(sizes[d]) / total);
    if (sizes[d] > 0) unspent.push_back(d);
  }
  BlendIndex index{.weights = weights, .dataset = {}, .sample = {}};
  std::vector<std::int64_t> taken(sizes.size());
  for (std::int64_t step = 0; !unspent.empty(); ++step) {
    const std::size_t dataset = most_lagging(weights, taken, step, unspent);
    take(index, taken, dataset);
    if (taken[dataset] == sizes[dataset]) std::erase(unspent, dataset);
  }
  return index;
}

BlendedDataset::BlendedDataset(std::vector<std::unique_ptr<Dataset>> datasets, BlendIndex index)
    : datasets_(std::move(datasets)), index_(std::move(index)) {
  std::vector<std::int64_t> used(datasets_.size());
  for (const std::int16_t dataset : index_.dataset) ++used[static_cast<std::size_t>(dataset)];
  for (std::size_t d = 0; d < datasets_.size(); ++d) {
    if (used[d] > datasets_[d]->size())
      throw_user_error("the blend needs {} to provide {} samples, but it has {}", datasets_[d]->description(),
                       used[d], datasets_[d]->size());
  }
}

void BlendedDataset::read(std::int64_t index, std::span<std::int64_t> tokens) const {
  if (index < 0 || index >= size())
    throw Error(fmt::format("sample {} of {} does not exist: it has {}", index, description(), size()));
  const auto i = static_cast<std::size_t>(index);
  datasets_[static_cast<std::size_t>(index_.dataset[i])]->read(index_.sample[i], tokens);
}

nlohmann::json BlendedDataset::identity() const {
  nlohmann::json parts = nlohmann::json::array();
  for (const auto& dataset : datasets_) parts.push_back(dataset->identity());
  return {{"weights", index_.weights}, {"datasets", std::move(parts)}};
}

std::string BlendedDataset::description() const {
  std::string text = fmt::format("a blend of {} datasets:", datasets_.size());
  for (const auto& dataset : datasets_) text += " " + dataset->description();
  return text;
}

}  // namespace primus::data
