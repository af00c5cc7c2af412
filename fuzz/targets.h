#pragma once

#include <ostream>
#include <span>
#include <string_view>

namespace primus::fuzz {

/// What the fuzzer, and the test that replays its corpus, feed to one reader. Every input ends in values or
/// in a UserError, never in another exception, and never in memory or time that a number in the input
/// decides.
struct Target {
  /// Also the name of its folder in fuzz/corpus.
  std::string_view name;
  /// Throws UserError for bad input.
  void (*read)(std::string_view bytes);
};

inline std::ostream& operator<<(std::ostream& out, const Target& target) { return out << target.name; }

/// All of them, in the order of fuzz/README.md.
std::span<const Target> targets();

/// Throws Error when there is none of that name.
const Target& target_named(std::string_view name);

/// Reads `bytes`. Lets through what is no UserError, and throws std::logic_error when the message of one is
/// another library's text instead of ours.
void feed(const Target& target, std::string_view bytes);

// config.cpp
void read_config_yaml(std::string_view bytes);
void read_config_tokens(std::string_view bytes);
// data.cpp
void read_indexed_dataset(std::string_view bytes);
// tokenizer.cpp
void read_huggingface_tokenizer(std::string_view bytes);
void read_tiktoken_vocabulary(std::string_view bytes);
void read_sentencepiece_model(std::string_view bytes);
// launch.cpp
void read_launcher_environment(std::string_view bytes);
// checkpoint.cpp
void read_safetensors(std::string_view bytes);
void read_checkpoint(std::string_view bytes);
void read_huggingface_model(std::string_view bytes);

}  // namespace primus::fuzz
