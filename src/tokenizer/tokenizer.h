#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace primus::tokenizer {

using TokenId = std::int32_t;

/// GPT-2's token between documents, and the default one of the tokenizers that we train.
inline constexpr std::string_view end_of_text = "<|endoftext|>";

/// Turns text into token ids and back. Const members may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The ids of `text`, which must be valid UTF-8 (UserError otherwise).
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;

  /// The text of the ids, special tokens included. It can end within a character when the ids do. Throws
  /// UserError for an id outside the vocabulary.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;

  /// The number of ids, special and added tokens included, before padding.
  virtual std::int64_t vocab_size() const = 0;

  /// The id that ends a document in training data (Megatron's `eod`), if the tokenizer has one.
  virtual std::optional<TokenId> eod() const = 0;
  virtual std::optional<TokenId> bos() const { return std::nullopt; }
  virtual std::optional<TokenId> eos() const { return eod(); }
  virtual std::optional<TokenId> pad() const { return std::nullopt; }

  /// Type and origin, for messages and for the keys of caches.
  virtual std::string description() const = 0;
};

/// Megatron's tokenizer arguments.
struct TokenizerOptions {
  /// `tokenizer_type`, e.g. HuggingFaceTokenizer; see `tokenizer_types()`.
  std::string type;
  /// `tokenizer_model`: a file or directory, or the name of a model in the local Hugging Face cache.
  std::string model;
  /// `vocab_file` and `merge_file` of GPT2BPETokenizer.
  std::string vocab_file;
  std::string merge_file;
  /// `vocab_size`: needed by NullTokenizer; TikTokenizer cuts its vocabulary to it.
  std::optional<std::int64_t> vocab_size;
  /// `tiktoken_pattern` ("v1" or "v2") and `tiktoken_num_special_tokens`.
  std::string tiktoken_pattern = "v2";
  std::int64_t tiktoken_num_special_tokens = 1000;
  /// Whether encoding a text adds what the tokenizer's own template adds, such as Llama 3's begin-of-text
  /// (the negation of `tokenizer_hf_no_include_special_tokens`).
  bool include_special_tokens = true;
};

/// All values of `tokenizer_type` that `make_tokenizer` takes.
std::vector<std::string> tokenizer_types();

/// The file or directory that `tokenizer_model` names, which may be a model in the local Hugging Face cache.
/// Throws UserError when there is none.
std::filesystem::path find_tokenizer_model(const TokenizerOptions& options);

/// The files that such a tokenizer is made of, those beside the model that change what it gives included.
/// Throws UserError when there is no model.
std::vector<std::filesystem::path> tokenizer_files(const TokenizerOptions& options);

/// Throws UserError for an unknown type or a missing argument; looks at no file.
void check(const TokenizerOptions& options);

/// The files that the options name and that are not on this machine, one message each.
std::vector<std::string> missing_files(const TokenizerOptions& options);

/// Makes the tokenizer that Primus and Megatron make of these arguments. Throws UserError for an unknown
/// type, a missing argument, and missing, damaged or unsupported files.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options);

/// A tokenizer.json with the ids of a tokenizer whose own file Hugging Face's library does not read, which is
/// tiktoken's; nothing for others. Throws UserError as `make_tokenizer`, and for a vocabulary that such a
/// file cannot hold.
std::optional<nlohmann::json> tiktoken_as_huggingface(const TokenizerOptions& options);

/// The end-of-document id, or a UserError that says that `purpose` needs one and how to get it.
TokenId require_eod(const Tokenizer& tokenizer, std::string_view purpose);

}  // namespace primus::tokenizer
