#pragma once

#include "tokenizer/tokenizer.h"

namespace primus::config {
class Arguments;
}

namespace primus::tokenizer {

/// The tokenizer that an experiment describes. Mock data takes the null tokenizer, with 131,072 entries
/// unless `vocab_size` says otherwise, as in the original.
TokenizerOptions tokenizer_options_from(const config::Arguments& arguments);

/// `check`, `missing_files` and `make_tokenizer` of these options: what they say is said of the place where
/// the tokenizer was chosen.
void check(const config::Arguments& arguments);
std::vector<std::string> missing_files(const config::Arguments& arguments);
std::unique_ptr<Tokenizer> make_tokenizer(const config::Arguments& arguments);

}  // namespace primus::tokenizer
