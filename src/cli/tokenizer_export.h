#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tokenizer/tokenizer.h"

namespace primus::cli {

/// The files from which Transformers makes this tokenizer, name → content. Empty for the types that it has
/// nothing like. Throws UserError when the tokenizer's own files are missing.
std::map<std::string, std::string> transformers_tokenizer_files(const tokenizer::TokenizerOptions& options);

/// "bos_token_id", "eos_token_id" and "pad_token_id", null where the tokenizer has none.
nlohmann::json special_tokens_of(const tokenizer::TokenizerOptions& options);

}  // namespace primus::cli
