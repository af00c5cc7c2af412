#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// A token that is found in the text as it stands, before anything is cut.
struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;
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

  void add(AddedToken token);
  std::vector<Match> find_all(std::string_view text) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  /// By first byte: indices into `tokens_`, the longest content first.
  std::array<std::vector<std::size_t>, 256> by_first_byte_;
};

}  // namespace primus::tokenizer
