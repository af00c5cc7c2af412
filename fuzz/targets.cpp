#include "fuzz/targets.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/error.h"

namespace primus::fuzz {

namespace {

constexpr std::array<Target, 10> all_targets = {{
    {"config_yaml", read_config_yaml},
    {"config_tokens", read_config_tokens},
    {"indexed_dataset", read_indexed_dataset},
    {"huggingface_tokenizer", read_huggingface_tokenizer},
    {"tiktoken_vocabulary", read_tiktoken_vocabulary},
    {"sentencepiece_model", read_sentencepiece_model},
    {"launcher_environment", read_launcher_environment},
    {"safetensors", read_safetensors},
    {"checkpoint", read_checkpoint},
    {"huggingface_model", read_huggingface_model},
}};

/// What stands in the messages of other libraries and never in ours.
constexpr std::array<std::string_view, 8> foreign_words = {
    "json.exception", "std::",   "basic_string", "vector::",
    "bad_alloc",      "map::at", "yaml-cpp: ",   "Exception raised from"};

void check_message(std::string_view message, std::string_view input) {
  for (const std::string_view word : foreign_words) {
    // A message may quote the input.
    const bool foreign =
        message.find(word) != std::string_view::npos && input.find(word) == std::string_view::npos;
    if (foreign) throw std::logic_error("a message in another library's words: " + std::string(message));
  }
  if (message.empty()) throw std::logic_error("an empty message");
}

}  // namespace

std::span<const Target> targets() { return all_targets; }

const Target& target_named(std::string_view name) {
  const auto* found = std::ranges::find(all_targets, name, &Target::name);
  if (found == all_targets.end()) throw Error(fmt::format("there is no fuzz target '{}'", name));
  return *found;
}

void feed(const Target& target, std::string_view bytes) {
  try {
    target.read(bytes);
  } catch (const UserError& error) {
    check_message(error.what(), bytes);
  }
}

}  // namespace primus::fuzz
