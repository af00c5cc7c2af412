#include "cli/tokenizer_export.h"

#include "core/file.h"

namespace primus::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What Transformers looks for in a directory.
constexpr const char* known_files[] = {
    "tokenizer.json",      "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json",    "tokenizer.model",         "vocab.json",
    "merges.txt"};

/// Without this file Transformers takes the tokenizer class of the model's type, whatever the other files
/// hold. The texts of special tokens make them known by name.
std::string tokenizer_config(const char* tokenizer_class, const tokenizer::Tokenizer& tokenizer,
                             bool sentencepiece = false) {
  json config = {{"tokenizer_class", tokenizer_class}, {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, std::optional<tokenizer::TokenId> id) {
    // SentencePiece gives its control tokens no text; Transformers finds them in the model itself.
    const std::string text = id ? tokenizer.decode({{*id}}) : "";
    if (!text.empty()) config[key] = text;
  };
  name("bos_token", tokenizer.bos());
  name("eos_token", tokenizer.eos());
  name("pad_token", tokenizer.pad());
  // Its own template says it for a tokenizer.json; SentencePiece's model has none.
  if (sentencepiece) config["add_bos_token"] = !tokenizer.encode("").empty();
  return config.dump(2) + "\n";
}

std::map<std::string, std::string> files_of(const tokenizer::TokenizerOptions& options,
                                            const tokenizer::Tokenizer& tokenizer) {
  std::map<std::string, std::string> files;
  if (options.type == "GPT2BPETokenizer") {
    return {{"vocab.json", read_file(options.vocab_file)},
            {"merges.txt", read_file(options.merge_file)},
            {"tokenizer_config.json", tokenizer_config("GPT2Tokenizer", tokenizer)}};
  }
  if (options.type == "NullTokenizer" || options.type == "ByteLevelTokenizer") return {};
  if (const auto converted = tokenizer::tiktoken_as_huggingface(options)) {
    return {{"tokenizer.json", converted->dump(1) + "\n"},
            {"tokenizer_config.json", tokenizer_config("PreTrainedTokenizerFast", tokenizer)}};
  }
  const fs::path model = tokenizer::find_tokenizer_model(options);
  const fs::path directory = fs::is_directory(model) ? model : model.parent_path();
  for (const char* name : known_files) {
    if (fs::exists(directory / name)) files[name] = read_file(directory / name);
  }
  // A file given by its own name counts, whatever lies beside it.
  if (!fs::is_directory(model)) {
    const bool sentencepiece = model.extension() == ".model";
    files.erase(sentencepiece ? "tokenizer.json" : "tokenizer.model");
    files[sentencepiece ? "tokenizer.model" : "tokenizer.json"] = read_file(model);
  }
  if (!files.contains("tokenizer_config.json"))
    files["tokenizer_config.json"] =
        tokenizer_config("PreTrainedTokenizerFast", tokenizer, !files.contains("tokenizer.json"));
  return files;
}

json special_tokens_of(const tokenizer::Tokenizer& tokenizer) {
  const auto value = [](std::optional<tokenizer::TokenId> id) { return id ? json(*id) : json(); };
  return {{"bos_token_id", value(tokenizer.bos())},
          {"eos_token_id", value(tokenizer.eos())},
          {"pad_token_id", value(tokenizer.pad())}};
}

}  // namespace

TransformersTokenizer transformers_tokenizer(const tokenizer::TokenizerOptions& options,
                                             const tokenizer::Tokenizer& tokenizer) {
  return {.files = files_of(options, tokenizer), .special_tokens = special_tokens_of(tokenizer)};
}

}  // namespace primus::cli
