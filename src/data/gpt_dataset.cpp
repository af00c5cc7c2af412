#include "data/gpt_dataset.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "data/gpt_indices.h"

namespace primus::data {

namespace {

std::int64_t count_tokens(const SequenceSource& source, const SequenceRange& range) {
  std::int64_t count = 0;
  for (std::int64_t i = range.begin; i < range.end; ++i) count += source.length(i);
  return count;
}

/// Tells apart files that were replaced under the same name.
std::string checksum_of_lengths(const SequenceSource& source, const SequenceRange& range) {
  Checksum checksum;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const std::int32_t length = source.length(i);
    checksum.update(std::as_bytes(std::span(&length, 1)));
  }
  return checksum.digest();
}

}  // namespace

GptDataset::GptDataset(std::shared_ptr<const SequenceSource> source, SequenceRange range,
                       std::optional<std::int64_t> sample_count, Split split,
                       const GptDatasetOptions& options)
    : source_(std::move(source)),
      range_(range),
      sample_count_(sample_count),
      split_(split),
      options_(options) {
  if (options_.sequence_length < 1)
    throw_user_error("seq_length must be positive, not {}", options_.sequence_length);
  if (sample_count_ && *sample_count_ < 0) throw Error("a dataset of fewer than no samples was asked for");
  tokens_per_epoch_ = count_tokens(*source_, range_);
  const bool partial = split_ == Split::valid && options_.keep_partial_validation_sample;
  const std::int64_t needed = partial ? 2 : options_.sequence_length + 1;
  if (tokens_per_epoch_ < needed && (!sample_count_ || tokens_per_epoch_ < 2))
    throw_user_error("the {} split of {} (sequences {} to {}) has {} tokens, too few for one sample of {}",
                     to_string(split_), source_->description(), range_.begin, range_.end, tokens_per_epoch_,
                     needed);
  epochs_ = count_epochs(tokens_per_epoch_, sample_count_, options_.sequence_length);
  if (auto cached = load()) {
    indices_ = std::move(*cached);
    return;
  }
  indices_ = build_indices({*source_, range_, sample_count_, options_.sequence_length, options_.seed, partial,
                            tokens_per_epoch_, epochs_});
  save();
}

void GptDataset::read(std::int64_t index, std::span<std::int64_t> tokens) const {
  if (index < 0 || index >= size())
    throw Error(fmt::format("sample {} of {} does not exist: it has {}", index, description(), size()));
  const std::int64_t sample = indices_.shuffle[index];
  const std::int64_t last = indices_.sample[2 * sample + 2];
  const std::int64_t last_offset = indices_.sample[2 * sample + 3];
  std::int64_t position = indices_.sample[2 * sample];
  std::int64_t offset = indices_.sample[2 * sample + 1];
  for (; position <= last; ++position, offset = 0) {
    const std::int64_t sequence = indices_.document[position];
    const std::int64_t end = position == last ? last_offset + 1 : source_->length(sequence);
    const auto count = static_cast<std::size_t>(end - offset);
    source_->read(sequence, offset, tokens.first(count));
    tokens = tokens.subspan(count);
  }
  std::ranges::fill(tokens, padding);
}

std::string GptDataset::description() const {
  return fmt::format("{} ({} split)", source_->description(), to_string(split_));
}

nlohmann::json GptDataset::identity() const {
  // Another shuffle differs at its start already.
  constexpr std::int64_t compared = 1024;
  Checksum order;
  for (const IndexArray* index : {&indices_.document, &indices_.shuffle}) {
    for (std::int64_t i = 0; i < std::min(index->size(), compared); ++i) {
      const std::int64_t value = (*index)[i];
      order.update(std::as_bytes(std::span(&value, 1)));
    }
  }
  return {{"source", source_->description()},
          {"sequences", {range_.begin, range_.end}},
          {"lengths", checksum_of_lengths(*source_, range_)},
          {"content", source_->fingerprint()},
          {"epochs", epochs_},
          {"sequence_length", options_.sequence_length},
          {"order", order.digest()}};
}

std::string GptDataset::cache_key() const {
  return fmt::format(
      "source {}\nsequences {} {}\nlengths {}\nsamples {}\nsplit {}\nsequence_length {}\nseed {}\npartial "
      "{}\n",
      source_->description(), range_.begin, range_.end, checksum_of_lengths(*source_, range_),
      sample_count_ ? std::to_string(*sample_count_) : "one epoch", to_string(split_),
      options_.sequence_length, options_.seed, options_.keep_partial_validation_sample);
}

namespace {

std::filesystem::path cache_file(const std::filesystem::path& directory, const std::string& key, Split split,
                                 std::string_view part) {
  return directory / fmt::format("{}-GPTDataset-{}-{}", checksum(key), to_string(split), part);
}

}  // namespace

std::optional<GptDataset::Indices> GptDataset::load() const {
  if (options_.cache.empty()) return std::nullopt;
  const std::string key = cache_key();
  const auto part = [&](std::string_view name) {
    return IndexArray::load(cache_file(options_.cache, key, split_, name));
  };
  auto document = part("document_index.npy"), sample = part("sample_index.npy"),
       shuffle = part("shuffle_index.npy");
  if (!document || !sample || !shuffle) return std::nullopt;
  const std::int64_t documents = epochs_ * (range_.end - range_.begin);
  const bool fits = document->size() == documents && sample->size() == 2 * (shuffle->size() + 1);
  return fits ? std::optional(Indices{*document, *sample, *shuffle}) : std::nullopt;
}

void GptDataset::save() const {
  if (options_.cache.empty()) return;
  make_directories(options_.cache);
  const std::string key = cache_key();
  const auto file = [&](std::string_view name) { return cache_file(options_.cache, key, split_, name); };
  write_file_atomically(file("description.txt"), key);
  indices_.document.save(file("document_index.npy"));
  indices_.sample.save(file("sample_index.npy"));
  indices_.shuffle.save(file("shuffle_index.npy"));
}

}  // namespace primus::data
