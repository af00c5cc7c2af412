#pragma once

#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// Text is numbers with spaces between, and the numbers are the ids: for speed tests and mock data. The size
/// is the given `vocab_size` plus one, and that last id ends a document.
class NullTokenizer : public Tokenizer {
 public:
  explicit NullTokenizer(std::int64_t vocab_size);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::int64_t vocab_size() const override { return eod_ + 1; }
  std::optional<TokenId> eod() const override { return eod_; }
  std::string description() const override;

 private:
  TokenId eod_;
};

/// Megatron's ByteLevelTokenizer: a byte is its own id, in a vocabulary of 512. Id 0 ends a document, 1 pads.
class ByteLevelTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text) const override;
  /// Leaves out ids above 255.
  std::string decode(std::span<const TokenId> ids) const override;
  std::int64_t vocab_size() const override { return 512; }
  std::optional<TokenId> eod() const override { return 0; }
  std::optional<TokenId> pad() const override { return 1; }
  std::string description() const override { return "ByteLevelTokenizer"; }
};

}  // namespace primus::tokenizer
