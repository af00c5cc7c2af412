#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tokenizer/tokenizer.h"

namespace primus::cli {

/// A tokenizer as Transformers takes it.
struct TransformersTokenizer {
  /// Name → content. Empty for the types that Transformers has nothing like.
  std::map<std::string, std::string> files;
  /// "bos_token_id", "eos_token_id" and "pad_token_id", null where the tokenizer has none.
  nlohmann::json special_tokens;
};

/// `tokenizer` is what the options make. Throws UserError when its files are missing or damaged.
TransformersTokenizer transformers_tokenizer(const tokenizer::TokenizerOptions& options,
                                             const tokenizer::Tokenizer& tokenizer);

}  // namespace primus::cli
