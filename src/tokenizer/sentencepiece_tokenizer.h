#pragma once

#include <filesystem>
#include <memory>

#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// A SentencePiece `.model` file, read and run by the SentencePiece library.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// `begin_with_bos`: whether every text starts with the begin token, as Llama 2's does. Throws UserError
  /// when the file is missing or is no SentencePiece model.
  SentencePieceTokenizer(const std::filesystem::path& model, bool begin_with_bos);
  ~SentencePieceTokenizer() override;

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::int64_t vocab_size() const override;
  std::optional<TokenId> eod() const override;
  std::optional<TokenId> bos() const override;
  std::optional<TokenId> pad() const override;
  std::string description() const override { return description_; }

 private:
  struct Processor;
  std::unique_ptr<Processor> processor_;
  bool begin_with_bos_;
  std::string description_;
};

}  // namespace primus::tokenizer
