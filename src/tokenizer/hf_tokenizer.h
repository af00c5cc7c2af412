#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/json_object.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/sentencepiece_tokenizer.h"

namespace primus::tokenizer {

/// A Hugging Face tokenizer while its files are read.
class HfTokenizer {
 public:
  /// `vocabulary`: the tokens and ids of `model` as the file writes them; it must outlive this object.
  HfTokenizer(BpeModel model, BpeTokenizer::Parts parts, const nlohmann::json& vocabulary)
      : model(std::move(model)), parts(std::move(parts)), vocabulary_(vocabulary) {}

  BpeModel model;
  BpeTokenizer::Parts parts;

  /// Adds a token, or gives one that is there other properties. `claimed`: the id that a file gives it.
  /// Throws UserError when that is not the id that Transformers would give: the model's own, or the next one.
  void add(AddedToken token, std::optional<std::int64_t> claimed);
  /// Makes a token special: the added one of this content, or else this one.
  void add_special(AddedToken token);
  std::optional<TokenId> find(std::string_view content) const;
  bool is_added(std::string_view content) const { return find_added(content) != nullptr; }

 private:
  const AddedToken* find_added(std::string_view content) const;

  const nlohmann::json& vocabulary_;
};

/// Reads what only the files beside tokenizer.json know: special tokens by name, tokens added later, and
/// options, each honoured or refused. `include_special_tokens`: whether texts get the template's tokens.
void read_hf_config(const std::filesystem::path& directory, bool include_special_tokens,
                    HfTokenizer& tokenizer);

/// How Transformers uses the SentencePiece model in `directory`, by the tokenizer_config.json beside it.
/// Throws UserError for what SentencePiece cannot do.
SentencePieceOptions read_sentencepiece_config(const std::filesystem::path& directory,
                                               bool include_special_tokens);

}  // namespace primus::tokenizer
