#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

/// Tokenizer arguments as an object with Megatron's names, and back: what a checkpoint says about its model's
/// tokenizer. Paths of files that exist are made absolute, so that they hold wherever the checkpoint is read.
nlohmann::json to_json(const TokenizerOptions& options);
/// Throws UserError when a value is of another type.
TokenizerOptions tokenizer_options_from_json(const nlohmann::json& json);

}  // namespace primus::tokenizer
