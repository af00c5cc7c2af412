#pragma once

#include <CLI/App.hpp>

#include "tokenizer/tokenizer.h"

namespace primus::cli {

/// HuggingFaceTokenizer, so that a path is enough for the tokenizers that we train.
tokenizer::TokenizerOptions default_tokenizer_options();

/// Adds --tokenizer_type and the other tokenizer arguments of Megatron, with underscores or hyphens.
void add_tokenizer_options(CLI::App& command, tokenizer::TokenizerOptions& options);

}  // namespace primus::cli
