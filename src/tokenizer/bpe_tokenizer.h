#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// A byte-pair-encoding tokenizer with the stages of Hugging Face's library: added tokens are found in the
/// raw text; what lies between is normalized, cut into words, and encoded; a template adds special tokens.
class BpeTokenizer : public Tokenizer {
 public:
  /// SentencePiece's way of writing spaces into tokens.
  struct SpaceDecoding {
    /// What stands for a space; empty: nothing does, and tokens are bytes.
    std::string stand_in;
    /// Whether a space that opens the text is dropped, because encoding put it there.
    bool strip_first = false;
  };

  struct Parts {
    AddedTokens added_tokens;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    /// Ids that the template puts before and after every text.
    std::vector<TokenId> prefix, suffix;
    SpaceDecoding spaces;
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

  BpeModel model_;
  Parts parts_;
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

}  // namespace primus::tokenizer
