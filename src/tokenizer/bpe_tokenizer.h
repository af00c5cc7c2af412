#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// A byte-pair-encoding tokenizer with the stages of Hugging Face's library: added tokens are found in the
/// raw text, or in what lies between once it is normalized; the rest is cut into words and encoded; a
/// template adds special tokens.
class BpeTokenizer : public Tokenizer {
 public:
  struct Parts {
    std::vector<AddedToken> added_tokens;
    /// Whether special tokens are cut like any other text (`split_special_tokens`).
    bool split_special_tokens = false;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    Decoder decoder;
    /// Ids that the template puts before and after every text.
    std::vector<TokenId> prefix, suffix;
    std::optional<TokenId> bos, eos, pad;
    std::string description;
  };

  BpeTokenizer(BpeModel model, Parts parts);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::int64_t vocab_size() const override { return vocab_size_; }
  std::optional<TokenId> eod() const override { return parts_.eos; }
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::optional<TokenId> pad() const override { return parts_.pad; }
  std::string description() const override { return parts_.description; }

 private:
  void encode_segment(std::string_view segment, bool at_text_start, std::vector<TokenId>& ids) const;
  void encode_words(std::string_view text, bool at_text_start, std::vector<TokenId>& ids) const;
  std::string token(TokenId id) const;

  BpeModel model_;
  Parts parts_;
  /// The tokens that are found in the text as it stands, and after normalization.
  AddedTokens raw_, normalized_;
  /// The content of added tokens by id.
  Vocabulary added_;
  std::int64_t vocab_size_;
};

/// Reads `tokenizer.json` and, beside it, `tokenizer_config.json` and `special_tokens_map.json` where
/// present. `path` is the file or its directory. Throws UserError naming the file and what is wrong or not
/// supported.
std::unique_ptr<BpeTokenizer> load_huggingface(const std::filesystem::path& path,
                                               bool include_special_tokens);

/// Reads GPT-2's `vocab.json` and `merges.txt`; `<|endoftext|>` ends a document. Throws UserError.
std::unique_ptr<BpeTokenizer> load_gpt2(const std::filesystem::path& vocab_file,
                                        const std::filesystem::path& merge_file);

/// Reads the ranks of a TikTokenizer as Megatron does: `path` is a JSON list of {rank, token_bytes,
/// token_str}, or lines of base64 and rank. Ids below `special_count` are special tokens: <unk>, <s>, </s>,
/// <mask>, <pad>, <cls>, <sep>, then <SPECIAL_7> and so on; `</s>` ends a document. `vocab_size` (special
/// tokens included) cuts the list. `pattern` is "v1" or "v2". Throws UserError.
std::unique_ptr<BpeTokenizer> load_tiktoken(const std::filesystem::path& path, std::string_view pattern,
                                            std::int64_t vocab_size, std::int64_t special_count);

/// Whether a file is lines of base64 and rank, whatever its name.
bool is_tiktoken_file(const std::filesystem::path& path);

/// Reads the `tokenizer.model` that Meta publishes with Llama 3: tiktoken's lines, to which Llama 3's special
/// tokens and pattern are added; `<|end_of_text|>` ends a document. Throws UserError for another vocabulary.
std::unique_ptr<BpeTokenizer> load_llama3(const std::filesystem::path& path, bool include_special_tokens);

}  // namespace primus::tokenizer
