#include "data/batch.h"

#include <algorithm>

#include "core/error.h"

namespace primus::data {

namespace {

void check_vocabulary(std::span<const std::int64_t> tokens, std::int64_t sample, const Dataset& dataset,
                      std::int64_t vocab_size) {
  const auto [smallest, largest] = std::ranges::minmax(tokens);
  if (smallest >= Dataset::padding && largest < vocab_size) return;
  throw_user_error(
      "sample {} of {} has the token id {}, but the vocabulary has {} entries: the data was made with "
      "another tokenizer",
      sample, dataset.description(), largest < vocab_size ? smallest : largest, vocab_size);
}

void add_row(std::span<const std::int64_t> tokens, const BatchOptions& options, Batch& batch) {
  std::vector<std::int64_t> starts = {0};
  std::int64_t position = 0;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const std::int64_t token = tokens[i], label = tokens[i + 1];
    const bool ends_document = token == options.eod;
    batch.tokens.push_back(std::max<std::int64_t>(token, 0));
    batch.labels.push_back(std::max<std::int64_t>(label, 0));
    batch.loss_mask.push_back(label == Dataset::padding || (options.eod_mask_loss && ends_document) ? 0.0f
                                                                                                    : 1.0f);
    batch.position_ids.push_back(position++);
    if (!ends_document) continue;
    if (options.reset_position_ids) position = 0;
    if (i + 2 < tokens.size()) starts.push_back(static_cast<std::int64_t>(i) + 1);
  }
  if (options.reset_attention_mask) batch.document_starts.push_back(std::move(starts));
}

}  // namespace

Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> samples, const BatchOptions& options) {
  if ((options.eod_mask_loss || options.reset_position_ids || options.reset_attention_mask) &&
      options.eod < 0)
    throw UserError(
        "eod_mask_loss, reset_position_ids and reset_attention_mask need a tokenizer with an "
        "end-of-document token");
  Batch batch;
  batch.micro_batch_size = static_cast<std::int64_t>(samples.size());
  batch.sequence_length = dataset.sequence_length();
  batch.samples.assign(samples.begin(), samples.end());
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(dataset.sequence_length()) + 1);
  for (const std::int64_t sample : samples) {
    dataset.read(sample, tokens);
    check_vocabulary(tokens, sample, dataset, options.vocab_size);
    add_row(tokens, options, batch);
  }
  return batch;
}

}  // namespace primus::data
