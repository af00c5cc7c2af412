// Reading the files of Hugging Face tokenizers.
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_alphabet.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

Json read_json(const fs::path& path) {
  try {
    return Json::parse(read_file(path));
  } catch (const Json::exception& error) {
    throw_user_error("{} is not valid JSON: {}", path.string(), error.what());
  }
}

/// Runs `read`, and names the file in whatever it finds wrong.
template <typename Read>
auto in_file(const fs::path& path, Read read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw_user_error("{} does not have the expected content: {}", path.string(), error.what());
  } catch (const UserError& error) {
    throw_user_error("{}: {}", path.string(), error.what());
  }
}

void add_to_vocabulary(Vocabulary& vocabulary, const std::string& key, TokenId id, bool byte_level) {
  if (!byte_level) {
    vocabulary.add(key, id);
  } else if (auto bytes = from_byte_alphabet(key)) {
    vocabulary.add(std::move(*bytes), id);
  } else {
    // No word can be cut into this token; it exists to be decoded.
    vocabulary.add_unfindable(key, id);
  }
}

/// The two halves of a merge, which is a pair or a text with one space in it.
std::pair<std::string, std::string> merge_halves(const Json& merge) {
  if (merge.is_array() && merge.size() == 2)
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  const std::string text = merge.get<std::string>();
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
    throw_user_error("the merge \"{}\" is not two tokens with a space between", text);
  return {text.substr(0, space), text.substr(space + 1)};
}

TokenId require_token(const Vocabulary& vocabulary, const std::string& key, bool byte_level) {
  const std::string text = byte_level ? from_byte_alphabet(key).value_or(key) : key;
  const TokenId id = vocabulary.find(text);
  if (id == Vocabulary::none) throw_user_error("the token \"{}\" of a merge is not in the vocabulary", key);
  return id;
}

void refuse(const Json& model, const char* key) {
  const auto found = model.find(key);
  if (found != model.end() && !found->is_null() && *found != "" && *found != 0)
    throw_user_error("the BPE option `{}` is not supported", key);
}

BpeModel read_model(const Json& model, bool byte_level) {
  const std::string type = model.contains("type")     ? model.at("type").get<std::string>()
                           : model.contains("merges") ? "BPE"
                                                      : "of unnamed type";
  if (type != "BPE") throw_user_error("the model {} is not supported, only BPE", type);
  refuse(model, "continuing_subword_prefix");
  refuse(model, "end_of_word_suffix");
  refuse(model, "dropout");
  Vocabulary vocabulary;
  for (const auto& [key, id] : model.at("vocab").items())
    add_to_vocabulary(vocabulary, key, id.get<TokenId>(), byte_level);
  std::vector<BpeModel::RankedMerge> merges;
  for (const Json& merge : model.at("merges")) {
    const auto [left, right] = merge_halves(merge);
    merges.push_back({require_token(vocabulary, left, byte_level),
                      require_token(vocabulary, right, byte_level),
                      static_cast<std::uint32_t>(merges.size())});
  }
  BpeModel::Options options{.byte_level = byte_level,
                            .ignore_merges = model.value("ignore_merges", false),
                            .byte_fallback = model.value("byte_fallback", false),
                            .unknown = std::nullopt,
                            .fuse_unknown = model.value("fuse_unk", false)};
  const auto unknown = model.find("unk_token");
  if (unknown != model.end() && unknown->is_string())
    options.unknown = require_token(vocabulary, unknown->get<std::string>(), byte_level);
  return BpeModel(std::move(vocabulary), merges, options);
}

void add_token(AddedTokens& tokens, const Json& token, TokenId id) {
  if (token.value("single_word", false))
    throw_user_error("the added token \"{}\" with `single_word` is not supported",
                     token.at("content").get<std::string>());
  tokens.add({token.at("content"), id, token.value("special", false), token.value("lstrip", false),
              token.value("rstrip", false)});
}

/// What a post-processor's template puts around a single text.
struct Template {
  std::vector<TokenId> prefix, suffix;
};

void read_template(const Json& processor, Template& result) {
  if (processor.is_null()) return;
  const std::string type = processor.at("type");
  if (type == "Sequence") {
    for (const Json& part : processor.at("processors")) read_template(part, result);
  } else if (type == "TemplateProcessing") {
    bool before_text = true;
    for (const Json& part : processor.at("single")) {
      if (part.contains("Sequence")) {
        before_text = false;
        continue;
      }
      const std::string name = part.at("SpecialToken").at("id");
      for (const Json& id : processor.at("special_tokens").at(name).at("ids"))
        (before_text ? result.prefix : result.suffix).push_back(id);
    }
  } else if (type != "ByteLevel") {
    throw_user_error("the post-processor {} is not supported", type);
  }
}

/// What a decoder does about spaces: Metaspace, or Llama 2's sequence of Replace and Strip.
void read_spaces(const Json& decoder, BpeTokenizer::SpaceDecoding& spaces) {
  if (decoder.is_null()) return;
  const std::string type = decoder.at("type");
  if (type == "Sequence") {
    for (const Json& part : decoder.at("decoders")) read_spaces(part, spaces);
  } else if (type == "Metaspace") {
    spaces.stand_in = decoder.at("replacement");
    spaces.strip_first = decoder.value("prepend_scheme", "always") != "never";
  } else if (type == "Replace" && decoder.at("content") == " ") {
    spaces.stand_in = decoder.at("pattern").at("String");
  } else if (type == "Strip") {
    spaces.strip_first = decoder.at("content") == " " && decoder.at("start") == 1;
  }
}

/// The text of a special token, which configurations write as a string or as an object.
std::optional<std::string> token_text(const Json& config, const char* name) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  return found->at("content").get<std::string>();
}

std::optional<TokenId> find_token(const std::string& text, const Vocabulary& vocabulary,
                                  const BpeTokenizer::Parts& parts) {
  for (const AddedToken& token : parts.added_tokens.tokens()) {
    if (token.content == text) return token.id;
  }
  const TokenId id = vocabulary.find(text);
  return id == Vocabulary::none ? std::nullopt : std::optional(id);
}

/// Adds what only tokenizer_config.json knows: special tokens by name, and tokens added later.
void read_config(const Json& config, const Vocabulary& vocabulary, BpeTokenizer::Parts& parts) {
  const auto added = config.find("added_tokens_decoder");
  if (added != config.end()) {
    for (const auto& [id, token] : added->items()) {
      if (!find_token(token.at("content"), vocabulary, parts))
        add_token(parts.added_tokens, token, std::stoi(id));
    }
  }
  const auto set = [&](const char* name, std::optional<TokenId>& id) {
    const auto text = token_text(config, name);
    if (text && !id) id = find_token(*text, vocabulary, parts);
  };
  set("bos_token", parts.bos);
  set("eos_token", parts.eos);
  set("pad_token", parts.pad);
}

/// The stages that tokenizer.json describes; its model is read apart.
BpeTokenizer::Parts read_parts(const Json& json, bool include_special_tokens) {
  const auto section = [&](const char* name) { return json.contains(name) ? json.at(name) : Json(); };
  BpeTokenizer::Parts parts;
  parts.normalizer = Normalizer(section("normalizer"));
  parts.pre_tokenizer = PreTokenizer(section("pre_tokenizer"));
  for (const Json& token : section("added_tokens")) add_token(parts.added_tokens, token, token.at("id"));
  Template around;
  read_template(section("post_processor"), around);
  if (include_special_tokens) {
    parts.prefix = around.prefix;
    parts.suffix = around.suffix;
  }
  read_spaces(section("decoder"), parts.spaces);
  return parts;
}

}  // namespace

std::unique_ptr<BpeTokenizer> load_huggingface(const fs::path& path, bool include_special_tokens) {
  const fs::path file = fs::is_directory(path) ? path / "tokenizer.json" : path;
  const Json json = read_json(file);
  BpeTokenizer::Parts parts = in_file(file, [&] { return read_parts(json, include_special_tokens); });
  BpeModel model =
      in_file(file, [&] { return read_model(json.at("model"), parts.pre_tokenizer.byte_level()); });
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const fs::path config = file.parent_path() / name;
    if (fs::exists(config))
      in_file(config, [&, json = read_json(config)] { read_config(json, model.vocabulary(), parts); });
  }
  parts.description = fmt::format("HuggingFaceTokenizer {}", file.string());
  return std::make_unique<BpeTokenizer>(std::move(model), std::move(parts));
}

std::unique_ptr<BpeTokenizer> load_gpt2(const fs::path& vocab_file, const fs::path& merge_file) {
  const Json vocab = read_json(vocab_file);
  Json merges = Json::array();
  std::istringstream lines(read_file(merge_file));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  BpeModel model = in_file(
      vocab_file, [&] { return read_model({{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}, true); });
  BpeTokenizer::Parts parts;
  parts.pre_tokenizer = PreTokenizer::gpt2();
  const TokenId id = model.vocabulary().find(end_of_text);
  if (id != Vocabulary::none) {
    parts.added_tokens.add({.content = std::string(end_of_text), .id = id, .special = true});
    parts.bos = parts.eos = id;
  }
  parts.description = fmt::format("GPT2BPETokenizer {}", vocab_file.string());
  return std::make_unique<BpeTokenizer>(std::move(model), std::move(parts));
}

}  // namespace primus::tokenizer
