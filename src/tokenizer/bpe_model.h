#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace primus::tokenizer {

/// Which pair of neighbouring tokens becomes which token, and which goes first.
class MergeTable {
 public:
  static constexpr std::uint32_t no_rank = ~0u;
  struct Merge {
    std::uint32_t rank = no_rank;
    TokenId merged = Vocabulary::none;
  };

  /// Room for `count` merges, at most half full so that a search ends quickly.
  explicit MergeTable(std::size_t count);

  /// Of several merges of a pair the last one holds, as in the reference.
  void insert(TokenId left, TokenId right, Merge merge);
  /// The merge of the pair; its rank is `no_rank` when there is none.
  Merge find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    std::uint64_t key = ~0ull;
    Merge merge;
  };
  std::size_t slot_of(std::uint64_t key) const;

  std::vector<Slot> slots_;
  int shift_;
};

/// Byte-pair encoding of single words (Sennrich et al., "Neural Machine Translation of Rare Words with
/// Subword Units", 2016): starting from bytes or characters, the pair of neighbours with the lowest rank is
/// merged, leftmost first, until no merge applies.
class BpeModel {
 public:
  struct Options {
    /// Words start as bytes; otherwise as characters.
    bool byte_level = true;
    /// A word that is in the vocabulary is one token, whatever the merges say (Llama 3).
    bool ignore_merges = false;
    /// A character without a token becomes its bytes' tokens <0x00> to <0xFF> (Llama 2).
    bool byte_fallback = false;
    /// The token of what has no token; neighbouring ones become one with `fuse_unknown`.
    std::optional<TokenId> unknown;
    bool fuse_unknown = false;
  };

  struct RankedMerge {
    TokenId left, right;
    std::uint32_t rank;
  };

  /// Throws UserError when the result of a merge is not in the vocabulary.
  BpeModel(Vocabulary vocabulary, const std::vector<RankedMerge>& merges, Options options);

  /// Appends the ids of `word` (valid UTF-8 unless byte-level). Throws UserError for text without a token
  /// when there is no unknown token.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  /// Appends the symbols that `word` begins as.
  void start(std::string_view word, std::vector<TokenId>& ids) const;
  TokenId byte_token(char byte) const;
  bool add_bytes(std::string_view character, std::vector<TokenId>& ids) const;
  void require_unknown(std::string_view symbol) const;
  void merge_short(std::vector<TokenId>& ids, std::size_t begin) const;
  void merge_long(std::vector<TokenId>& ids, std::size_t begin) const;

  Vocabulary vocabulary_;
  Options options_;
  MergeTable merges_;
  /// The token of each byte: of the byte itself, or with byte_fallback of its <0x..> form.
  std::vector<TokenId> byte_tokens_;
};

}  // namespace primus::tokenizer
