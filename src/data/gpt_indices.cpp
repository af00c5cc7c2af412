#include "data/gpt_indices.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "data/random.h"

namespace primus::data {

namespace {

/// Below this share of an epoch, the last epoch is shuffled by itself and drawn last.
constexpr double separate_epoch_threshold = 0.80;

struct EpochPlan {
  bool separate_last = false;
  std::int64_t samples_before_last = 0;
};

EpochPlan plan_epochs(const IndexRequest& request) {
  if (request.epochs == 1) return {};
  const std::int64_t before = ((request.epochs - 1) * request.tokens_per_epoch - 1) / request.sequence_length;
  const std::int64_t in_last = *request.sample_count - before;
  const std::int64_t per_epoch = (request.tokens_per_epoch - 1) / request.sequence_length;
  const auto threshold = static_cast<std::int64_t>(separate_epoch_threshold * static_cast<double>(per_epoch));
  return {in_last < threshold, before};
}

std::vector<std::int32_t> repeated(const SequenceRange& range, std::int64_t epochs) {
  std::vector<std::int32_t> documents;
  documents.reserve(static_cast<std::size_t>(epochs * (range.end - range.begin)));
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (std::int64_t i = range.begin; i < range.end; ++i) documents.push_back(static_cast<std::int32_t>(i));
  }
  return documents;
}

std::vector<std::int32_t> build_document_index(const IndexRequest& request, bool separate_last,
                                               NumpyRandomState& random) {
  std::vector<std::int32_t> documents = repeated(request.range, request.epochs);
  const std::size_t last = separate_last ? documents.size() / static_cast<std::size_t>(request.epochs) : 0;
  const std::span all(documents);
  random.shuffle(all.first(documents.size() - last));
  if (last > 0) random.shuffle(all.last(last));
  return documents;
}

std::int64_t count_samples(const IndexRequest& request) {
  const std::int64_t tokens = request.epochs * request.tokens_per_epoch - 1;
  if (!request.keep_partial_sample) return tokens / request.sequence_length;
  // Single precision, as the original divides here.
  return static_cast<std::int64_t>(
      std::ceil(static_cast<float>(tokens) / static_cast<float>(request.sequence_length)));
}

/// Walks along the documents laid end to end, and notes where each sample begins. Neighbouring samples share
/// a token: the last label of one is the first input of the next.
std::vector<std::int32_t> build_sample_index(const IndexRequest& request,
                                             std::span<const std::int32_t> documents) {
  const std::int64_t count = count_samples(request);
  std::vector<std::int32_t> index;
  index.reserve(static_cast<std::size_t>(2 * (count + 1)));
  std::size_t position = 0;
  std::int64_t offset = 0;
  index.insert(index.end(), {0, 0});
  for (std::int64_t sample = 0; sample < count; ++sample) {
    std::int64_t wanted = request.sequence_length;
    for (;;) {
      const std::int64_t left = request.source.length(documents[position]) - offset;
      if (left > wanted) {
        offset += wanted;
        break;
      }
      if (position + 1 == documents.size()) {
        // Only a partial last sample gets here; it ends with the last token.
        offset = request.source.length(documents[position]) - 1;
        break;
      }
      wanted -= left;
      offset = 0;
      ++position;
    }
    index.push_back(static_cast<std::int32_t>(position));
    index.push_back(static_cast<std::int32_t>(offset));
  }
  return index;
}

template <typename T>
std::vector<T> build_shuffle_index(std::int64_t first, std::int64_t total, NumpyRandomState& random) {
  std::vector<T> index(static_cast<std::size_t>(total));
  std::iota(index.begin(), index.end(), static_cast<T>(0));
  const std::span all(index);
  random.shuffle(all.first(static_cast<std::size_t>(first)));
  if (first < total) random.shuffle(all.subspan(static_cast<std::size_t>(first)));
  return index;
}

}  // namespace

std::int64_t count_epochs(std::int64_t tokens_per_epoch, std::optional<std::int64_t> sample_count,
                          std::int64_t sequence_length) {
  if (!sample_count) return 1;
  const std::int64_t wanted = *sample_count * sequence_length + 1;
  return std::max<std::int64_t>(1, (wanted + tokens_per_epoch - 1) / tokens_per_epoch);
}

GptDataset::Indices build_indices(const IndexRequest& request) {
  const std::int64_t positions = request.epochs * (request.range.end - request.range.begin);
  if (positions > std::numeric_limits<std::int32_t>::max())
    throw_user_error("{}: {} epochs of {} sequences are more than 2^31 - 1; ask for fewer samples",
                     request.source.description(), request.epochs, request.range.end - request.range.begin);
  const EpochPlan plan = plan_epochs(request);
  NumpyRandomState random(request.seed);
  std::vector<std::int32_t> documents = build_document_index(request, plan.separate_last, random);
  std::vector<std::int32_t> samples = build_sample_index(request, documents);
  const auto total = static_cast<std::int64_t>(samples.size() / 2) - 1;
  const std::int64_t first = plan.separate_last ? plan.samples_before_last : total;
  GptDataset::Indices indices;
  indices.document = IndexArray(std::move(documents));
  indices.sample = IndexArray(std::move(samples), 2);
  indices.shuffle = total >= std::numeric_limits<std::uint32_t>::max() - 1
                        ? IndexArray(build_shuffle_index<std::int64_t>(first, total, random))
                        : IndexArray(build_shuffle_index<std::uint32_t>(first, total, random));
  return indices;
}

}  // namespace primus::data
