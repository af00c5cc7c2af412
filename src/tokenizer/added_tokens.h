#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/split_pattern.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// A token that is found in the text, before anything is cut.
struct AddedToken {
  std::string content;
  TokenId id = 0;
  /// Kept from the text when special tokens are to be split.
  bool special = false;
  /// Found after normalization, in its own normalized form; otherwise in the text as it stands.
  bool normalized = false;
  /// Not found within a word.
  bool single_word = false;
  /// Whether white space to the left, or right, is swallowed with the token.
  bool strip_left = false;
  bool strip_right = false;
};

/// Finds added tokens in a text: at each place the longest, from left to right.
class AddedTokens {
 public:
  struct Match {
    std::size_t begin, end;
    TokenId id;
  };

  /// `written`: what to look for, when that is not the content.
  void add(const AddedToken& token, std::string written);
  void add(const AddedToken& token) { add(token, token.content); }
  std::vector<Match> find_all(std::string_view text) const;

  /// Calls `between(segment, opens_text)` for what stands between the tokens, and `matched(id)` for each
  /// token.
  template <typename Between, typename Matched>
  void cut(std::string_view text, Between between, Matched matched) const {
    std::size_t at = 0;
    for (const Match& match : find_all(text)) {
      if (at < match.begin) between(text.substr(at, match.begin - at), at == 0);
      matched(match.id);
      at = match.end;
    }
    if (at < text.size()) between(text.substr(at), at == 0);
  }

 private:
  struct Entry {
    std::string written;
    AddedToken token;
  };
  const Entry* longest_at(std::string_view text, std::size_t at) const;
  bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) const;

  std::vector<Entry> entries_;
  /// By first byte: indices into `entries_`, the longest first.
  std::array<std::vector<std::size_t>, 256> by_first_byte_;
  /// A character of a word, when a token must stand alone.
  std::shared_ptr<const SplitPattern> word_character_;
};

}  // namespace primus::tokenizer
