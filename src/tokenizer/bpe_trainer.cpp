#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"

namespace primus::tokenizer {

namespace {

struct Word {
  std::vector<TokenId> symbols;
  std::int64_t count;
};

using Pair = std::pair<TokenId, TokenId>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    const std::uint64_t key =
        static_cast<std::uint64_t>(pair.first) << 32 | static_cast<std::uint32_t>(pair.second);
    return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15ull >> 16);
  }
};

/// A pair with the count it had when it was queued; the largest count first, then the smallest ids.
struct Candidate {
  std::int64_t count;
  Pair pair;
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

/// All words as symbols, and where each pair of neighbours occurs how often.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const auto& symbols = words_[w].symbols;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
        change({symbols[i], symbols[i + 1]}, words_[w].count, w);
    }
    for (const auto& [pair, entry] : pairs_) queue_.push({entry.count, pair});
  }

  /// The most frequent pair, or a count of 0 when none is left.
  Candidate most_frequent() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t now = pairs_.at(top.pair).count;
      if (top.count == now) return top;
      if (now > 0) queue_.push({now, top.pair});
    }
    return {};
  }

  void merge(const Pair& pair, TokenId merged) {
    std::vector<std::size_t> words = std::move(pairs_.at(pair).words);
    pairs_.at(pair) = {};
    std::ranges::sort(words);
    const auto repeated = std::ranges::unique(words);
    words.erase(repeated.begin(), repeated.end());
    touched_.clear();
    for (const std::size_t w : words) merge_in_word(w, pair, merged);
    std::ranges::sort(touched_);
    const auto again = std::ranges::unique(touched_);
    touched_.erase(again.begin(), again.end());
    for (const Pair& touched : touched_) queue_.push({pairs_.at(touched).count, touched});
  }

 private:
  struct Entry {
    std::int64_t count = 0;
    /// Words in which the pair occurs, or did; a word can be listed twice.
    std::vector<std::size_t> words;
  };

  void change(const Pair& pair, std::int64_t by, std::size_t word) {
    Entry& entry = pairs_[pair];
    entry.count += by;
    if (by > 0 && (entry.words.empty() || entry.words.back() != word)) entry.words.push_back(word);
  }

  void merge_in_word(std::size_t w, const Pair& pair, TokenId merged) {
    auto& symbols = words_[w].symbols;
    const std::int64_t count = words_[w].count;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool found = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      if (!found) {
        symbols[kept++] = symbols[i];
        continue;
      }
      if (kept > 0) replace({symbols[kept - 1], pair.first}, {symbols[kept - 1], merged}, pair, count, w);
      if (i + 2 < symbols.size())
        replace({pair.second, symbols[i + 2]}, {merged, symbols[i + 2]}, pair, count, w);
      symbols[kept++] = merged;
      ++i;
    }
    symbols.resize(kept);
  }

  void replace(const Pair& gone, const Pair& come, const Pair& merging, std::int64_t count,
               std::size_t word) {
    if (gone != merging) change(gone, -count, word);
    change(come, count, word);
    touched_.push_back(come);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Entry, PairHash> pairs_;
  std::priority_queue<Candidate> queue_;
  /// Pairs that the current merge made more frequent.
  std::vector<Pair> touched_;
};

/// The bytes in the order of their stand-ins, as Hugging Face's trainer numbers its initial alphabet.
std::vector<unsigned char> bytes_in_alphabet_order() {
  std::vector<unsigned char> bytes(256);
  std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  std::ranges::sort(bytes, {}, [](unsigned char byte) { return byte_alphabet()[byte]; });
  return bytes;
}

}  // namespace

BpeTrainer::BpeTrainer(Options options) : options_(std::move(options)), pre_tokenizer_(PreTokenizer::gpt2()) {
  const auto least = static_cast<std::int64_t>(256 + options_.special_tokens.size());
  if (options_.vocab_size < least)
    throw_user_error(
        "a vocabulary of {} is too small for the 256 bytes and {} special tokens; use at least {}",
        options_.vocab_size, options_.special_tokens.size(), least);
}

void BpeTrainer::add(std::string_view text) {
  require_utf8(text);
  std::string segment(text);
  for (const Range& range : pre_tokenizer_.split(segment, true)) {
    const std::string_view word = std::string_view(segment).substr(range.begin, range.end - range.begin);
    const auto found = word_counts_.find(word);
    if (found != word_counts_.end()) {
      ++found->second;
    } else {
      word_counts_.emplace(word, 1);
    }
  }
}

TrainedBpe BpeTrainer::train() const {
  TrainedBpe result;
  result.pieces = options_.special_tokens;
  result.special_count = options_.special_tokens.size();
  std::vector<TokenId> byte_ids(256);
  for (const unsigned char byte : bytes_in_alphabet_order()) {
    byte_ids[byte] = static_cast<TokenId>(result.pieces.size());
    result.pieces.emplace_back(1, static_cast<char>(byte));
  }
  TextMap<TokenId> ids;
  for (std::size_t id = 0; id < result.special_count; ++id)
    ids.emplace(result.pieces[id], static_cast<TokenId>(id));
  std::vector<Word> words;
  for (const auto& [text, count] : word_counts_) {
    Word word{{}, count};
    for (const char byte : text) word.symbols.push_back(byte_ids[static_cast<unsigned char>(byte)]);
    words.push_back(std::move(word));
  }
  PairCounts counts(std::move(words));
  while (static_cast<std::int64_t>(result.pieces.size()) < options_.vocab_size) {
    const Candidate best = counts.most_frequent();
    if (best.count < std::max<std::int64_t>(options_.min_frequency, 1)) break;
    const auto piece = [&](TokenId id) -> const std::string& {
      return result.pieces[static_cast<std::size_t>(id)];
    };
    std::string text = piece(best.pair.first) + piece(best.pair.second);
    // Two different pairs can spell the same piece, which then keeps its first id.
    const auto [entry, is_new] = ids.emplace(text, static_cast<TokenId>(result.pieces.size()));
    if (is_new) result.pieces.push_back(std::move(text));
    result.merges.push_back(best.pair);
    counts.merge(best.pair, entry->second);
  }
  return result;
}

}  // namespace primus::tokenizer
