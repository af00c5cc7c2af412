#include "tokenizer/options_json.h"

#include <filesystem>

#include "core/json.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;

namespace {

std::string absolute_if_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) ? fs::absolute(path).lexically_normal().string() : path;
}

}  // namespace

nlohmann::json to_json(const TokenizerOptions& options) {
  nlohmann::json json = {{"tokenizer_type", options.type}};
  if (!options.model.empty()) json["tokenizer_model"] = absolute_if_there(options.model);
  if (!options.vocab_file.empty()) json["vocab_file"] = absolute_if_there(options.vocab_file);
  if (!options.merge_file.empty()) json["merge_file"] = absolute_if_there(options.merge_file);
  if (options.vocab_size) json["vocab_size"] = *options.vocab_size;
  json["tiktoken_pattern"] = options.tiktoken_pattern;
  json["tiktoken_num_special_tokens"] = options.tiktoken_num_special_tokens;
  json["include_special_tokens"] = options.include_special_tokens;
  return json;
}

TokenizerOptions tokenizer_options_from_json(const nlohmann::json& json) {
  const auto number = [&](const char* key) { return whole_number<std::int64_t>(json[key], key); };
  TokenizerOptions options;
  try {
    options.type = json.value("tokenizer_type", options.type);
    options.model = json.value("tokenizer_model", options.model);
    options.vocab_file = json.value("vocab_file", options.vocab_file);
    options.merge_file = json.value("merge_file", options.merge_file);
    if (json.contains("vocab_size")) options.vocab_size = number("vocab_size");
    options.tiktoken_pattern = json.value("tiktoken_pattern", options.tiktoken_pattern);
    if (json.contains("tiktoken_num_special_tokens"))
      options.tiktoken_num_special_tokens = number("tiktoken_num_special_tokens");
    options.include_special_tokens = json.value("include_special_tokens", options.include_special_tokens);
  } catch (const nlohmann::json::exception& error) {
    throw_user_error("the description of the tokenizer is damaged: {}", describe(error));
  }
  return options;
}

}  // namespace primus::tokenizer
