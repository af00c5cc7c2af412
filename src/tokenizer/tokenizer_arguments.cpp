#include "tokenizer/tokenizer_arguments.h"

#include "config/arguments.h"
#include "core/error.h"

namespace primus::tokenizer {

TokenizerOptions tokenizer_options_from(const config::Arguments& arguments) {
  TokenizerOptions options;
  options.vocab_size = arguments.get<"vocab_size">();
  if (arguments.get<"mock_data">()) {
    constexpr std::int64_t mock_vocab_size = 131072;
    options.type = "NullTokenizer";
    if (!options.vocab_size) options.vocab_size = mock_vocab_size;
    return options;
  }
  options.type = arguments.get<"tokenizer_type">().value_or("GPT2BPETokenizer");
  options.model = arguments.get<"tokenizer_model">().value_or("");
  options.vocab_file = arguments.get<"vocab_file">().value_or("");
  options.merge_file = arguments.get<"merge_file">().value_or("");
  options.tiktoken_pattern = arguments.get<"tiktoken_pattern">().value_or(options.tiktoken_pattern);
  options.tiktoken_num_special_tokens = arguments.get<"tiktoken_num_special_tokens">();
  options.include_special_tokens = !arguments.get<"tokenizer_hf_no_include_special_tokens">();
  return options;
}

namespace {

/// Where the tokenizer was chosen.
Where place_of(const config::Arguments& arguments) {
  if (arguments.counts<"tokenizer_model">() && arguments.get<"tokenizer_model">())
    return arguments.where<"tokenizer_model">();
  if (arguments.counts<"vocab_file">() && arguments.get<"vocab_file">())
    return arguments.where<"vocab_file">();
  return arguments.where<"tokenizer_type">();
}

}  // namespace

void check(const config::Arguments& arguments) {
  blame(place_of(arguments), [&] { check(tokenizer_options_from(arguments)); });
}

std::vector<std::string> missing_files(const config::Arguments& arguments) {
  std::vector<std::string> missing = missing_files(tokenizer_options_from(arguments));
  for (std::string& file : missing) file = to_string(place_of(arguments)) + ": " + file;
  return missing;
}

std::unique_ptr<Tokenizer> make_tokenizer(const config::Arguments& arguments) {
  return blame(place_of(arguments), [&] { return make_tokenizer(tokenizer_options_from(arguments)); });
}

}  // namespace primus::tokenizer
