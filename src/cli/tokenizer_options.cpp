#include "cli/tokenizer_options.h"

#include <fmt/ranges.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace primus::cli {

tokenizer::TokenizerOptions default_tokenizer_options() {
  tokenizer::TokenizerOptions options;
  options.type = "HuggingFaceTokenizer";
  return options;
}

void add_tokenizer_options(CLI::App& command, tokenizer::TokenizerOptions& options) {
  command
      .add_option("--tokenizer_type,--tokenizer-type", options.type,
                  fmt::format("One of {}", fmt::join(tokenizer::tokenizer_types(), ", ")))
      ->capture_default_str();
  command.add_option("--tokenizer_model,--tokenizer-model", options.model,
                     "The tokenizer's directory or file");
  command.add_option("--vocab_file,--vocab-file", options.vocab_file, "vocab.json of GPT2BPETokenizer");
  command.add_option("--merge_file,--merge-file", options.merge_file, "merges.txt of GPT2BPETokenizer");
  command.add_option("--vocab_size,--vocab-size", options.vocab_size, "For NullTokenizer and TikTokenizer");
  command.add_option("--tiktoken_pattern,--tiktoken-pattern", options.tiktoken_pattern, "v1 or v2")
      ->capture_default_str();
  command
      .add_option("--tiktoken_num_special_tokens,--tiktoken-num-special-tokens",
                  options.tiktoken_num_special_tokens, "Ids that TikTokenizer keeps for special tokens")
      ->capture_default_str();
  command.add_flag_callback(
      "--tokenizer_hf_no_include_special_tokens,--tokenizer-hf-no-include-special-tokens",
      [&options] { options.include_special_tokens = false; },
      "Leave out what the tokenizer's template adds to a text, such as a begin token");
}

}  // namespace primus::cli
