#pragma once

#include <filesystem>
#include <memory>

#include "tokenizer/added_tokens.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// How a SentencePiece model is used.
struct SentencePieceOptions {
  /// Whether every text starts with the begin token, as Llama 2's does, or ends with the end token.
  bool begin_with_bos = false;
  bool end_with_eos = false;
  /// Whether special pieces are found in a text as they stand; what lies between is encoded by itself.
  bool find_special_pieces = false;
  /// Such pieces besides the model's own, and the ids that they must have.
  struct Piece {
    std::string text;
    std::optional<std::int64_t> id = {};
  };
  std::vector<Piece> special_pieces = {};
  /// Special tokens that are not the model's own.
  std::optional<std::string> bos = {}, eos = {}, pad = {};
};

/// A SentencePiece `.model` file, read and run by the SentencePiece library.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// Throws UserError when the file is missing or is no SentencePiece model, or lacks a piece of `options`.
  SentencePieceTokenizer(const std::filesystem::path& model, const SentencePieceOptions& options);
  ~SentencePieceTokenizer() override;

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::int64_t vocab_size() const override;
  std::optional<TokenId> eod() const override { return eos_; }
  std::optional<TokenId> bos() const override { return bos_; }
  std::optional<TokenId> pad() const override { return pad_; }
  std::string description() const override { return description_; }

 private:
  struct Processor;
  void find_special_pieces(const std::vector<SentencePieceOptions::Piece>& more);
  TokenId require_piece(const std::string& text) const;
  void encode_segment(std::string_view segment, std::vector<TokenId>& ids) const;

  std::unique_ptr<Processor> processor_;
  std::string description_;
  bool begin_with_bos_, end_with_eos_;
  AddedTokens special_pieces_;
  std::optional<TokenId> bos_, eos_, pad_;
};

}  // namespace primus::tokenizer
