#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/bpe_tokenizer.h"

namespace primus::tokenizer {

/// What a tokenizer of tiktoken's is made of: pieces by rank, a pattern that cuts text, special tokens.
struct TiktokenVocabulary {
  std::vector<std::string> pieces;
  /// The id of rank 0.
  TokenId first_id = 0;
  std::string_view pattern;
  /// Special tokens, those that begin every text, and the name of all this.
  BpeTokenizer::Parts parts;
};

/// As `load_tiktoken` and `load_llama3` read them.
TiktokenVocabulary read_tiktoken(const std::filesystem::path& path, std::string_view pattern,
                                 std::int64_t vocab_size, std::int64_t special_count);
TiktokenVocabulary read_llama3(const std::filesystem::path& path, bool include_special_tokens);

/// The two halves and the rank of every way to put a piece together from two others: tiktoken merges by
/// piece, not by pair.
std::vector<BpeModel::RankedMerge> merges_of(const TiktokenVocabulary& vocabulary);

/// The tokenizer as a tokenizer.json, which gives the same ids. Throws UserError when a piece is spelled as a
/// special token is, which such a file cannot tell apart.
nlohmann::json to_huggingface(const TiktokenVocabulary& vocabulary);

}  // namespace primus::tokenizer
