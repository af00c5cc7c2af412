// Reading tokenizer_config.json and its like, which change what a tokenizer.json gives.
#include <algorithm>

#include "core/error.h"
#include "tokenizer/hf_tokenizer.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

/// What a class of Transformers takes for granted when tokenizer_config.json does not say it. Versions 4 and
/// 5 differ in whether `add_bos_token` and its like change what tokenizer.json says; see docs/tokenizers.md.
struct TokenizerClass {
  std::string_view name;
  const char *bos = nullptr, *eos = nullptr, *unk = nullptr, *pad = nullptr;
  std::optional<bool> adds_bos, adds_eos, adds_prefix_space;
};

constexpr const char* end_token = "<|endoftext|>";
constexpr TokenizerClass tokenizer_classes[] = {
    {"LlamaTokenizer", "<s>", "</s>", "<unk>", nullptr, true, false, {}},
    {"CodeLlamaTokenizer", "<s>", "</s>", "<unk>", nullptr, true, false, {}},
    {"GemmaTokenizer", "<bos>", "<eos>", "<unk>", "<pad>", true, false, {}},
    {"CohereTokenizer", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<PAD>", true, false, {}},
    {"GPTNeoXTokenizer", end_token, end_token, end_token, nullptr, false, false, false},
    {"GPT2Tokenizer", end_token, end_token, end_token, nullptr, {}, {}, false},
    {"CodeGenTokenizer", end_token, end_token, end_token, nullptr, {}, {}, false},
    {"Qwen2Tokenizer", nullptr, end_token, end_token, end_token, {}, {}, false},
};

constexpr const char* named_tokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

TokenizerClass find_class(std::string name) {
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const auto found = std::ranges::find(tokenizer_classes, name, &TokenizerClass::name);
  return found == std::end(tokenizer_classes) ? TokenizerClass{} : *found;
}

std::string text_of(const Json& value, std::string_view key) {
  if (!value.is_string()) throw_user_error("'{}' must be a string", key);
  return value.get<std::string>();
}

bool flag_of(const Json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) throw_user_error("'{}' must be true or false", key);
  return found->get<bool>();
}

/// A token that is written as a text or as an object with its properties.
AddedToken read_token(const Json& value, std::string_view key) {
  if (!value.is_object()) return {.content = text_of(value, key), .special = true};
  const bool special = flag_of(value, "special", false);
  if (!value.contains("content")) throw_user_error("'{}' has no 'content'", key);
  return {.content = text_of(value["content"], key),
          .id = 0,
          .special = special,
          .normalized = flag_of(value, "normalized", !special),
          .single_word = flag_of(value, "single_word", false),
          .strip_left = flag_of(value, "lstrip", false),
          .strip_right = flag_of(value, "rstrip", false)};
}

/// tokenizer_config.json, with what its class takes for granted.
class Config {
 public:
  explicit Config(Json config)
      : json(std::move(config)), tokenizer_class(find_class(text("tokenizer_class"))) {}

  Json json;
  TokenizerClass tokenizer_class;

  const Json* find(const char* key) const {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
  std::string text(const char* key) const {
    const Json* value = find(key);
    return value == nullptr ? "" : text_of(*value, key);
  }
  std::optional<bool> flag(const char* key, std::optional<bool> by_class) const {
    return find(key) == nullptr ? by_class : flag_of(json, key, false);
  }

  /// The text of a named special token: the file's, or its class's own.
  std::optional<AddedToken> named(std::string_view name) const {
    const auto found = json.find(name);
    if (found != json.end() && found->is_null()) return std::nullopt;
    if (found != json.end()) return read_token(*found, name);
    const char* content = name == "bos_token"   ? tokenizer_class.bos
                          : name == "eos_token" ? tokenizer_class.eos
                          : name == "unk_token" ? tokenizer_class.unk
                          : name == "pad_token" ? tokenizer_class.pad
                                                : nullptr;
    if (content == nullptr) return std::nullopt;
    return AddedToken{.content = content, .special = true};
  }

  /// Tokens without a name.
  std::vector<AddedToken> extra() const {
    std::vector<AddedToken> result;
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const Json* tokens = find(key);
      if (tokens == nullptr) continue;
      if (!tokens->is_array() && !tokens->is_object()) throw_user_error("'{}' must be a list of tokens", key);
      for (const Json& token : *tokens) result.push_back(read_token(token, key));
    }
    return result;
  }

  /// The entries of `added_tokens_decoder`, by id.
  std::vector<std::pair<std::int64_t, AddedToken>> numbered() const {
    std::vector<std::pair<std::int64_t, AddedToken>> tokens;
    const Json* decoder = find("added_tokens_decoder");
    if (decoder == nullptr) return tokens;
    if (!decoder->is_object()) throw UserError("'added_tokens_decoder' must be an object of ids and tokens");
    for (const auto& [id, token] : decoder->items()) {
      if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos)
        throw_user_error("\"{}\" in 'added_tokens_decoder' is not an id", id);
      tokens.emplace_back(std::stol(id), read_token(token, "added_tokens_decoder." + id));
    }
    std::ranges::sort(tokens, {}, [](const auto& entry) { return entry.first; });
    return tokens;
  }

  /// Refuses options that only Transformers' own code can follow.
  void refuse_code() const {
    const Json* map = find("auto_map");
    if (map != nullptr && (map->is_array() || map->contains("AutoTokenizer")))
      throw UserError(
          "'auto_map' names Python code that makes the tokenizer, which is not run here; remove it when the "
          "files alone give the same ids");
    for (const char* key : {"from_slow", "fix_mistral_regex"}) {
      if (flag(key, false) == true) throw_user_error("'{}': true is not supported", key);
    }
  }
};

class ConfigReader {
 public:
  ConfigReader(Json config, HfTokenizer& tokenizer)
      : config_(std::move(config)), class_(config_.tokenizer_class), tokenizer_(tokenizer) {}

  void run(const Json& special_tokens_map, const Json& added_tokens, bool include_special_tokens) {
    config_.refuse_code();
    if (config_.find("added_tokens_decoder") != nullptr) {
      for (auto& [id, token] : config_.numbered()) tokenizer_.add(std::move(token), id);
    } else {
      config_.json.update(special_tokens_map);
      add_from_older_file(added_tokens);
    }
    for (const char* name : named_tokens) {
      if (auto token = config_.named(name)) tokenizer_.add_special(std::move(*token));
    }
    for (AddedToken& token : config_.extra()) tokenizer_.add_special(std::move(token));
    refuse_other_tokens();
    set_special_ids();
    tokenizer_.parts.split_special_tokens = *config_.flag("split_special_tokens", false);
    if (include_special_tokens) {
      require_template("add_bos_token", class_.adds_bos, tokenizer_.parts.bos, tokenizer_.parts.prefix,
                       "before");
      require_template("add_eos_token", class_.adds_eos, tokenizer_.parts.eos, tokenizer_.parts.suffix,
                       "after");
    }
    require_prefix_space();
  }

 private:
  /// added_tokens.json: texts and ids. Those that have a name are special.
  void add_from_older_file(const Json& added) {
    std::vector<std::pair<std::int64_t, std::string>> tokens;
    for (const auto& [content, id] : added.items()) {
      const auto number =
          whole_number<std::int64_t>(id, fmt::format("added_tokens.json: the id of \"{}\"", content));
      if (!tokenizer_.is_added(content)) {
        tokens.emplace_back(number, content);
      } else if (id != *tokenizer_.find(content)) {
        throw_user_error("added_tokens.json gives \"{}\" the id {}, tokenizer.json {}; make them agree",
                         content, id.dump(), *tokenizer_.find(content));
      }
    }
    std::ranges::sort(tokens);
    for (const auto& [id, content] : tokens) {
      const bool special = std::ranges::any_of(named_tokens, [&](const char* name) {
        const Json* value = config_.find(name);
        return value != nullptr && read_token(*value, name).content == content;
      });
      tokenizer_.add({.content = content, .id = 0, .special = special, .normalized = !special}, id);
    }
  }

  /// Other keys that end in `_token` name tokens to Transformers 5, and nothing to version 4.
  void refuse_other_tokens() const {
    for (const auto& [key, value] : config_.json.items()) {
      const bool is_token = key.ends_with("_token") && (value.is_string() || value.is_object());
      if (!is_token || std::ranges::find(named_tokens, key) != std::end(named_tokens)) continue;
      const std::string content = read_token(value, key).content;
      if (!tokenizer_.is_added(content))
        throw_user_error(
            "'{}' names \"{}\", which is not among the added tokens: some versions of Transformers add it "
            "and some do not; list it in 'additional_special_tokens' or remove the key",
            key, content);
    }
  }

  void set_special_ids() {
    const auto id = [&](const char* name, const char* otherwise) {
      auto token = config_.named(name);
      if (!token && otherwise != nullptr) token = config_.named(otherwise);
      return token ? tokenizer_.find(token->content) : std::nullopt;
    };
    // Where a tokenizer has no begin or end token, Megatron takes BERT's.
    tokenizer_.parts.bos = id("bos_token", "cls_token");
    tokenizer_.parts.eos = id("eos_token", "sep_token");
    tokenizer_.parts.pad = id("pad_token", nullptr);
  }

  /// Refuses a tokenizer whose two files differ in whether a text gets a begin, or end, token.
  void require_template(const char* key, std::optional<bool> by_class, std::optional<TokenId> token,
                        const std::vector<TokenId>& given, const char* place) const {
    const bool is_set = config_.find(key) != nullptr;
    const auto wanted = config_.flag(key, by_class);
    if (!wanted) return;
    if (*wanted && !token) throw_user_error("'{}' is true, but no such token is named", key);
    if (given == (*wanted ? std::vector<TokenId>{*token} : std::vector<TokenId>{})) return;
    throw_user_error(
        "'{}' is {}{}, but the post_processor of tokenizer.json puts {} {} a text: versions of Transformers "
        "differ in which of the two they follow; make them agree",
        key, *wanted, is_set ? "" : fmt::format(" for a {} that does not set it", class_.name),
        given.empty() ? "nothing" : fmt::format("the ids [{}]", fmt::join(given, ", ")), place);
  }

  void require_prefix_space() const {
    const bool is_set = config_.find("add_prefix_space") != nullptr;
    const auto wanted = config_.flag("add_prefix_space", class_.adds_prefix_space);
    const BpeTokenizer::Parts& parts = tokenizer_.parts;
    const bool given = parts.pre_tokenizer.adds_prefix() || parts.normalizer.prepends();
    if (!wanted || given == *wanted) return;
    throw_user_error(
        "'add_prefix_space' is {}{}, but tokenizer.json {} one: versions of Transformers differ in which of "
        "the two they follow; make them agree",
        *wanted, is_set ? "" : fmt::format(" for a {} that does not set it", class_.name),
        given ? "adds" : "does not add");
  }

  Config config_;
  TokenizerClass class_;
  HfTokenizer& tokenizer_;
};

/// The object that a file holds; an empty one when there is no file.
Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json json = read_json(path);
  if (!json.is_object()) throw_user_error("{} must be a JSON object", path.string());
  return json;
}

}  // namespace

void read_hf_config(const fs::path& directory, bool include_special_tokens, HfTokenizer& tokenizer) {
  const fs::path file = directory / "tokenizer_config.json";
  const Json config = read_object(file), map = read_object(directory / "special_tokens_map.json"),
             added = read_object(directory / "added_tokens.json");
  in_file(file, [&] { ConfigReader(config, tokenizer).run(map, added, include_special_tokens); });
}

SentencePieceOptions read_sentencepiece_config(const fs::path& directory, bool include_special_tokens) {
  const fs::path file = directory / "tokenizer_config.json";
  Json json = read_object(file);
  // A model that comes alone is Llama 2's, whose pieces between the special ones are SentencePiece's own.
  json.emplace("tokenizer_class", "LlamaTokenizer");
  return in_file(file, [&] {
    const Config config(std::move(json));
    config.refuse_code();
    if (!config.tokenizer_class.adds_bos)
      throw_user_error("the tokenizer_class {} is not supported without a tokenizer.json",
                       config.text("tokenizer_class"));
    if (config.flag("legacy", true) == false || config.flag("add_prefix_space", true) == false)
      throw UserError(
          "'legacy': false and 'add_prefix_space': false are not supported with a SentencePiece model; "
          "convert it to a tokenizer.json");
    const Json* model_arguments = config.find("sp_model_kwargs");
    if (model_arguments != nullptr && !model_arguments->empty())
      throw UserError("'sp_model_kwargs' is not supported");
    SentencePieceOptions options;
    options.begin_with_bos =
        include_special_tokens && *config.flag("add_bos_token", config.tokenizer_class.adds_bos);
    options.end_with_eos =
        include_special_tokens && *config.flag("add_eos_token", config.tokenizer_class.adds_eos);
    const auto name = [&](const char* key, std::optional<std::string>& content) {
      if (config.find(key) != nullptr) content = config.named(key)->content;
    };
    name("bos_token", options.bos);
    name("eos_token", options.eos);
    name("pad_token", options.pad);
    options.find_special_pieces = true;
    for (const char* key : named_tokens) {
      if (config.find(key) != nullptr) options.special_pieces.push_back({config.named(key)->content});
    }
    for (const auto& [id, token] : config.numbered()) options.special_pieces.push_back({token.content, id});
    for (const AddedToken& token : config.extra()) options.special_pieces.push_back({token.content});
    return options;
  });
}

}  // namespace primus::tokenizer
