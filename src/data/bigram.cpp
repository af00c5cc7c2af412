#include "data/bigram.h"

#include <array>
#include <bit>
#include <cmath>
#include <unordered_map>
#include <vector>

#include "core/error.h"

namespace primus::data {

namespace {

/// Calls `use(context, token)` for each label of the samples [begin, end) and its input.
template <typename Use>
std::int64_t for_each_pair(const Dataset& dataset, std::int64_t begin, std::int64_t end,
                           std::int64_t vocab_size, Use use) {
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(dataset.sequence_length()) + 1);
  std::int64_t count = 0;
  for (std::int64_t sample = begin; sample < end; ++sample) {
    dataset.read(sample, tokens);
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (tokens[i + 1] == Dataset::padding) break;
      if (tokens[i] >= vocab_size || tokens[i + 1] >= vocab_size)
        throw_user_error("{} has the token id {}, but the vocabulary has {} entries", dataset.description(),
                         std::max(tokens[i], tokens[i + 1]), vocab_size);
      use(tokens[i], tokens[i + 1]);
      ++count;
    }
  }
  return count;
}

class BigramModel {
 public:
  explicit BigramModel(std::int64_t vocab_size)
      : vocab_size_(vocab_size),
        contexts_(static_cast<std::size_t>(vocab_size)),
        words_(static_cast<std::size_t>(vocab_size)) {
    context_weights_.fill(0.5);
  }

  void count(std::int64_t context, std::int64_t token) {
    ++pairs_[key(context, token)];
    ++contexts_[static_cast<std::size_t>(context)];
    ++words_[static_cast<std::size_t>(token)];
    ++total_;
  }

  double unigram(std::int64_t token) const {
    const double frequency = ratio(words_[static_cast<std::size_t>(token)], total_);
    return word_weight_ * frequency + (1 - word_weight_) / static_cast<double>(vocab_size_);
  }

  double probability(std::int64_t context, std::int64_t token) const {
    const double weight = context_weights_[bucket(context)];
    return weight * bigram(context, token) + (1 - weight) * unigram(token);
  }

  /// One round of expectation maximization of the weights over held-out pairs.
  template <typename Visit>
  void improve_weights(Visit visit) {
    std::array<double, bucket_count> share{}, seen{};
    double word_share = 0, word_seen = 0;
    visit([&](std::int64_t context, std::int64_t token) {
      const std::size_t b = bucket(context);
      const double from_bigram = context_weights_[b] * bigram(context, token) / probability(context, token);
      share[b] += from_bigram;
      seen[b] += 1;
      const double frequency = word_weight_ * ratio(words_[static_cast<std::size_t>(token)], total_);
      word_share += (1 - from_bigram) * frequency / unigram(token);
      word_seen += 1 - from_bigram;
    });
    for (std::size_t b = 0; b < bucket_count; ++b) {
      if (seen[b] > 0) context_weights_[b] = share[b] / seen[b];
    }
    // Some weight stays with the uniform distribution, so that no token is impossible.
    if (word_seen > 0) word_weight_ = std::min(word_share / word_seen, 0.9999);
  }

 private:
  static constexpr std::size_t bucket_count = 48;

  static double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  }
  std::uint64_t key(std::int64_t context, std::int64_t token) const {
    return static_cast<std::uint64_t>(context) * static_cast<std::uint64_t>(vocab_size_) +
           static_cast<std::uint64_t>(token);
  }
  /// Contexts seen equally often, in powers of two, share a weight; those never seen have none for bigrams.
  std::size_t bucket(std::int64_t context) const {
    const auto count = static_cast<std::uint64_t>(contexts_[static_cast<std::size_t>(context)]);
    return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(count)), bucket_count - 1);
  }
  double bigram(std::int64_t context, std::int64_t token) const {
    const auto found = pairs_.find(key(context, token));
    return found == pairs_.end() ? 0.0 : ratio(found->second, contexts_[static_cast<std::size_t>(context)]);
  }

  std::int64_t vocab_size_;
  std::unordered_map<std::uint64_t, std::int64_t> pairs_;
  /// How often each token was a context, and a word.
  std::vector<std::int64_t> contexts_, words_;
  std::int64_t total_ = 0;
  std::array<double, bucket_count> context_weights_;
  double word_weight_ = 0.9;
};

}  // namespace

BigramReport bigram_baseline(const Dataset& train, const Dataset& valid, std::int64_t vocab_size) {
  constexpr int rounds = 20;
  if (train.size() < 10)
    throw_user_error("{} has {} samples; the bigram baseline needs at least 10", train.description(),
                     train.size());
  const std::int64_t held_out = train.size() - train.size() / 10;
  BigramModel model(vocab_size);
  const auto count = [&](std::int64_t context, std::int64_t token) { model.count(context, token); };
  BigramReport report;
  report.train_tokens = for_each_pair(train, 0, held_out, vocab_size, count);
  for (int round = 0; round < rounds; ++round) {
    model.improve_weights([&](auto use) { for_each_pair(train, held_out, train.size(), vocab_size, use); });
  }
  report.train_tokens += for_each_pair(train, held_out, train.size(), vocab_size, count);
  double loss = 0, unigram_loss = 0;
  report.valid_tokens =
      for_each_pair(valid, 0, valid.size(), vocab_size, [&](std::int64_t context, std::int64_t token) {
        loss -= std::log(model.probability(context, token));
        unigram_loss -= std::log(model.unigram(token));
      });
  report.loss = loss / static_cast<double>(report.valid_tokens);
  report.unigram_loss = unigram_loss / static_cast<double>(report.valid_tokens);
  return report;
}

}  // namespace primus::data
