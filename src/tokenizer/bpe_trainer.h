#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace primus::tokenizer {

/// What training a tokenizer gives: enough to write its files.
struct TrainedBpe {
  /// By id: special tokens as they are, then the 256 bytes in the order of the byte alphabet, then merged
  /// pieces.
  std::vector<std::string> pieces;
  std::size_t special_count = 0;
  /// In the order in which they were learned, which is their rank.
  std::vector<std::pair<TokenId, TokenId>> merges;
};

/// Learns a byte-level BPE: the most frequent pair of neighbours becomes a token, again and again (Sennrich
/// et al., 2016); of equally frequent pairs the one with the smaller ids. Pair counts are kept up to date
/// word by word, with a heap for the maximum. Given the same text, Hugging Face's BpeTrainer learns the same
/// merges.
class BpeTrainer {
 public:
  struct Options {
    std::int64_t vocab_size = 4096;
    /// Do not merge pairs seen less often than this.
    std::int64_t min_frequency = 2;
    std::vector<std::string> special_tokens = {std::string(end_of_text)};
  };

  /// Throws UserError when the vocabulary has no room for the bytes and special tokens.
  explicit BpeTrainer(Options options);

  /// Counts the words of a text, which must be valid UTF-8.
  void add(std::string_view text);

  /// Learns from everything added. The vocabulary stays smaller than asked for when no pair is left to merge.
  TrainedBpe train() const;

 private:
  Options options_;
  PreTokenizer pre_tokenizer_;
  TextMap<std::int64_t> word_counts_;
};

/// Writes `tokenizer.json` and `tokenizer_config.json` for Hugging Face's libraries and ours: GPT-2's way of
/// cutting words; the first special token is the end-of-document token.
void save_tokenizer(const TrainedBpe& tokenizer, const std::filesystem::path& directory);

}  // namespace primus::tokenizer
