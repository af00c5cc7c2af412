#pragma once

#include "tokenizer/tokenizer.h"

namespace primus::config {
class Arguments;
}

namespace primus::tokenizer {

/// The tokenizer that an experiment describes. Mock data takes the null tokenizer, with 131,072 entries
/// unless `vocab_size` says otherwise, as in the original.
TokenizerOptions tokenizer_options_from(const config::Arguments& arguments);

/// Makes it. Throws what `make_tokenizer` of the options throws, with the place where the tokenizer was
/// chosen.
std::unique_ptr<Tokenizer> make_tokenizer(const config::Arguments& arguments);

}  // namespace primus::tokenizer
