#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/hf_tokenizer.h"
#include "tokenizer/sentencepiece_tokenizer.h"
#include "tokenizer/simple_tokenizers.h"
#include "tokenizer/tiktoken_vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;

namespace {

using Options = TokenizerOptions;
using Made = std::unique_ptr<Tokenizer>;

struct Type {
  const char* name;
  Made (*make)(const Options&);
  bool needs_model = true;
};

fs::path hugging_face_cache() {
  const char* home = std::getenv("HF_HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / "hub";
  const char* user = std::getenv("HOME");
  return fs::path(user == nullptr ? "." : user) / ".cache/huggingface/hub";
}

/// The snapshot of a model in the local Hugging Face cache, or an empty path.
fs::path find_cached_model(const std::string& name) {
  std::string folder = "models--" + name;
  for (std::size_t at; (at = folder.find('/')) != std::string::npos;) folder.replace(at, 1, "--");
  const fs::path model = hugging_face_cache() / folder;
  const fs::path main = model / "refs/main";
  if (!fs::exists(main)) return {};
  std::string revision = read_file(main);
  while (!revision.empty() && std::isspace(static_cast<unsigned char>(revision.back()))) revision.pop_back();
  const fs::path snapshot = model / "snapshots" / revision;
  return fs::exists(snapshot) ? snapshot : fs::path();
}

fs::path find_model(const Options& options) {
  if (fs::exists(options.model)) return options.model;
  const bool may_be_model_name = std::ranges::count(options.model, '/') == 1 && options.model.front() != '/';
  if (may_be_model_name) {
    const fs::path cached = find_cached_model(options.model);
    if (!cached.empty()) return cached;
    throw_user_error(
        "tokenizer_model {} is neither a path nor in the local Hugging Face cache ({}); nothing is "
        "downloaded: "
        "set tokenizer_model to a directory that holds its tokenizer.json",
        options.model, hugging_face_cache().string());
  }
  throw_user_error("tokenizer_model {} does not exist", options.model);
}

/// The tokenizer.model that `model` is, or that it holds when it holds no tokenizer.json.
fs::path model_file(const fs::path& model) {
  if (!fs::is_directory(model)) return model.extension() == ".model" ? model : fs::path();
  const fs::path inside = model / "tokenizer.model";
  return fs::exists(inside) && !fs::exists(model / "tokenizer.json") ? inside : fs::path();
}

Made make_huggingface(const Options& options) {
  const fs::path model = find_model(options);
  const fs::path file = model_file(model);
  if (file.empty()) return load_huggingface(model, options.include_special_tokens);
  if (is_tiktoken_file(file)) return load_llama3(file, options.include_special_tokens);
  return std::make_unique<SentencePieceTokenizer>(
      file, read_sentencepiece_config(file.parent_path(), options.include_special_tokens));
}

Made make_sentencepiece(const Options& options) {
  const fs::path model = find_model(options);
  const fs::path file = fs::is_directory(model) ? model / "tokenizer.model" : model;
  if (is_tiktoken_file(file))
    throw_user_error(
        "{} is a tiktoken vocabulary, not a SentencePiece model: use Llama3Tokenizer or TikTokenizer",
        file.string());
  return std::make_unique<SentencePieceTokenizer>(file, SentencePieceOptions{});
}

Made make_gpt2(const Options& options) { return load_gpt2(options.vocab_file, options.merge_file); }

constexpr std::int64_t default_tiktoken_size = 131072;

Made make_tiktoken(const Options& options) {
  return load_tiktoken(find_model(options), options.tiktoken_pattern,
                       options.vocab_size.value_or(default_tiktoken_size),
                       options.tiktoken_num_special_tokens);
}

Made make_null(const Options& options) { return std::make_unique<NullTokenizer>(*options.vocab_size); }

Made make_byte_level(const Options&) { return std::make_unique<ByteLevelTokenizer>(); }

/// The original's names; those of single models all read Hugging Face files.
constexpr Type types[] = {
    {"HuggingFaceTokenizer", make_huggingface},
    {"DeepSeekV2Tokenizer", make_huggingface},
    {"DeepSeekV3Tokenizer", make_huggingface},
    {"DeepSeekV4Tokenizer", make_huggingface},
    {"Llama2Tokenizer", make_huggingface},
    {"Llama3Tokenizer", make_huggingface},
    {"Llama4Tokenizer", make_huggingface},
    {"MixtralTokenizer", make_huggingface},
    {"Lfm2Tokenizer", make_huggingface},
    {"KimiK2Tokenizer", make_huggingface},
    {"GPT2BPETokenizer", make_gpt2, false},
    {"SentencePieceTokenizer", make_sentencepiece},
    {"GPTSentencePieceTokenizer", make_sentencepiece},
    {"TikTokenizer", make_tiktoken},
    {"NullTokenizer", make_null, false},
    {"ByteLevelTokenizer", make_byte_level, false},
};

const Type& type_of(const Options& options) {
  for (const Type& type : types) {
    if (options.type == type.name) return type;
  }
  throw_user_error("tokenizer_type \"{}\" is not known; known are {}", options.type,
                   fmt::join(tokenizer_types(), ", "));
}

}  // namespace

std::vector<std::string> tokenizer_types() {
  std::vector<std::string> names;
  for (const Type& type : types) names.emplace_back(type.name);
  return names;
}

fs::path find_tokenizer_model(const TokenizerOptions& options) { return find_model(options); }

std::vector<fs::path> tokenizer_files(const TokenizerOptions& options) {
  const Type& type = type_of(options);
  if (type.make == make_gpt2) return {options.vocab_file, options.merge_file};
  if (!type.needs_model) return {};
  const fs::path model = find_model(options);
  const bool is_directory = fs::is_directory(model);
  std::vector<fs::path> files;
  if (!is_directory) files.push_back(model);
  const fs::path directory = is_directory ? model : model.parent_path();
  const auto add = [&](const char* name) {
    if (fs::exists(directory / name)) files.push_back(directory / name);
  };
  if (is_directory) {
    for (const char* name : {"tokenizer.json", "tokenizer.model"}) add(name);
  }
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"})
    add(name);
  return files;
}

void check(const TokenizerOptions& options) {
  const Type& type = type_of(options);
  if (type.needs_model && options.model.empty())
    throw_user_error("tokenizer_type {} needs a tokenizer_model", options.type);
  if (type.make == make_gpt2 && (options.vocab_file.empty() || options.merge_file.empty()))
    throw UserError("GPT2BPETokenizer needs vocab_file and merge_file");
  if (type.make == make_null && !options.vocab_size) throw UserError("NullTokenizer needs a vocab_size");
}

std::vector<std::string> missing_files(const TokenizerOptions& options) {
  const Type& type = type_of(options);
  std::vector<std::string> missing;
  if (type.needs_model) {
    try {
      find_model(options);
    } catch (const UserError& error) {
      missing.emplace_back(error.what());
    }
  }
  if (type.make == make_gpt2) {
    for (const auto& [name, file] :
         {std::pair("vocab_file", options.vocab_file), std::pair("merge_file", options.merge_file)}) {
      if (!fs::exists(file)) missing.push_back(fmt::format("{} {} does not exist", name, file));
    }
  }
  return missing;
}

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options) {
  check(options);
  return type_of(options).make(options);
}

std::optional<nlohmann::json> tiktoken_as_huggingface(const TokenizerOptions& options) {
  if (type_of(options).make == make_tiktoken)
    return to_huggingface(read_tiktoken(find_model(options), options.tiktoken_pattern,
                                        options.vocab_size.value_or(default_tiktoken_size),
                                        options.tiktoken_num_special_tokens));
  if (type_of(options).make != make_huggingface) return std::nullopt;
  const fs::path file = model_file(find_model(options));
  if (file.empty() || !is_tiktoken_file(file)) return std::nullopt;
  return to_huggingface(read_llama3(file, options.include_special_tokens));
}

TokenId require_eod(const Tokenizer& tokenizer, std::string_view purpose) {
  if (const auto eod = tokenizer.eod()) return *eod;
  throw_user_error(
      "{} needs an end-of-document token, but {} has none; name one as \"eos_token\" in its "
      "tokenizer_config.json",
      purpose, tokenizer.description());
}

}  // namespace primus::tokenizer
