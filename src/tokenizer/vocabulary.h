#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// Hashes strings and views alike, so that maps with string keys are searched without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

/// Pieces of text (bytes) and their ids, both ways. Ids may have holes.
class Vocabulary {
 public:
  static constexpr TokenId none = -1;

  /// Gives `id` its text. Throws UserError for a negative id or one that is taken.
  void add(std::string text, TokenId id);
  /// Like `add`, but the text is only for decoding: `find` does not answer it.
  void add_unfindable(std::string text, TokenId id);

  /// The id of a piece, or `none`.
  TokenId find(std::string_view text) const;
  bool contains(TokenId id) const;
  /// The text of an id. Throws UserError when there is none.
  const std::string& text(TokenId id) const;

  /// The largest id plus one.
  TokenId end() const { return end_; }

 private:
  void set_text(const std::string& text, TokenId id);

  TextMap<TokenId> ids_;
  /// A map, so that a file with one large id takes no more memory than one with a small id.
  std::unordered_map<TokenId, std::string> texts_;
  TokenId end_ = 0;
};

}  // namespace primus::tokenizer
