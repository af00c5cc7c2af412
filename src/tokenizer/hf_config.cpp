// Reading tokenizer_config.json and its like, which change what a tokenizer.json gives.
#include <algorithm>

#include "core/error.h"
#include "tokenizer/hf_tokenizer.h"
#include "tokenizer/json_section.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

/// What a class of Transformers takes for granted when tokenizer_config.json does not say it. Versions 4 and 5
/// differ in whether `add_bos_token` and its like change what tokenizer.json says; see docs/tokenizers.md.
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
  if (!value.is_string()) throw_user_error("`{}` must be a string", key);
  return value.get<std::string>();
}

bool flag_of(const Json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) throw_user_error("`{}` must be true or false", key);
  return found->get<bool>();
}

/// A token that is written as a text or as an object with its properties.
AddedToken read_token(const Json& value, std::string_view key) {
  if (!value.is_object()) return {.content = text_of(value, key), .special = true};
  const bool special = flag_of(value, "special", false);
  if (!value.contains("content")) throw_user_error("`{}` has no `content`", key);
  return {.content = text_of(value["content"], key),
          .id = 0,
          .special = special,
          .normalized = flag_of(value, "normalized", !special),
          .single_word = flag_of(value, "single_word", false),
          .strip_left = flag_of(value, "lstrip", false),
          .strip_right = flag_of(value, "rstrip", false)};
}

class ConfigReader {
 public:
  ConfigReader(Json config, HfTokenizer& tokenizer)
      : config_(std::move(config)), tokenizer_(tokenizer), class_(find_class(text("tokenizer_class"))) {}

  void run(const Json& special_tokens_map, const Json& added_tokens, bool include_special_tokens) {
    refuse_code();
    if (const Json* decoder = find("added_tokens_decoder")) {
      add_numbered(*decoder);
    } else {
      config_.update(special_tokens_map);
      add_from_older_file(added_tokens);
    }
    for (const char* name : named_tokens) add_named(name);
    for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) add_extra(name);
    refuse_other_tokens();
    set_special_ids();
    tokenizer_.parts.split_special_tokens = flag_of(config_, "split_special_tokens", false);
    if (include_special_tokens) {
      require_template("add_bos_token", class_.adds_bos, tokenizer_.parts.bos, tokenizer_.parts.prefix, "before");
      require_template("add_eos_token", class_.adds_eos, tokenizer_.parts.eos, tokenizer_.parts.suffix, "after");
    }
    require_prefix_space();
  }

 private:
  const Json* find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  std::string text(const char* key) const {
    const Json* value = find(key);
    return value == nullptr ? "" : text_of(*value, key);
  }

  /// Options that only Transformers' own code can follow.
  void refuse_code() const {
    const Json* map = find("auto_map");
    if (map != nullptr && (map->is_array() || map->contains("AutoTokenizer")))
      throw UserError(
          "`auto_map` names Python code that makes the tokenizer, which is not run here; remove it when "
          "tokenizer.json alone gives the same ids");
    for (const char* key : {"from_slow", "fix_mistral_regex"}) {
      if (flag_of(config_, key, false)) throw_user_error("`{}`: true is not supported", key);
    }
  }

  void add_numbered(const Json& decoder) {
    if (!decoder.is_object()) throw UserError("`added_tokens_decoder` must be an object of ids and tokens");
    std::vector<std::pair<std::int64_t, AddedToken>> tokens;
    for (const auto& [id, token] : decoder.items()) {
      if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos)
        throw_user_error("\"{}\" in `added_tokens_decoder` is no id", id);
      tokens.emplace_back(std::stol(id), read_token(token, "added_tokens_decoder." + id));
    }
    std::ranges::sort(tokens, {}, [](const auto& entry) { return entry.first; });
    for (auto& [id, token] : tokens) tokenizer_.add(std::move(token), id);
  }

  /// added_tokens.json: texts and ids. Those that have a name are special.
  void add_from_older_file(const Json& added) {
    std::vector<std::pair<std::int64_t, std::string>> tokens;
    for (const auto& [content, id] : added.items()) {
      if (!id.is_number_integer()) throw_user_error("added_tokens.json: the id of \"{}\" is no number", content);
      if (!tokenizer_.is_added(content)) tokens.emplace_back(id.get<std::int64_t>(), content);
    }
    std::ranges::sort(tokens);
    for (const auto& [id, content] : tokens) {
      const bool special = std::ranges::any_of(named_tokens, [&](const char* name) {
        const Json* value = find(name);
        return value != nullptr && read_token(*value, name).content == content;
      });
      tokenizer_.add({.content = content, .id = 0, .special = special, .normalized = !special}, id);
    }
  }

  void add_special(AddedToken token) {
    if (tokenizer_.is_added(token.content)) return;
    token.special = true;
    tokenizer_.add(std::move(token), std::nullopt);
  }

  /// The text of a named special token: the file's, or its class's own.
  std::optional<AddedToken> named(std::string_view name) const {
    const auto found = config_.find(name);
    if (found != config_.end() && found->is_null()) return std::nullopt;
    if (found != config_.end()) return read_token(*found, name);
    const char* content = name == "bos_token"   ? class_.bos
                          : name == "eos_token" ? class_.eos
                          : name == "unk_token" ? class_.unk
                          : name == "pad_token" ? class_.pad
                                                : nullptr;
    if (content == nullptr) return std::nullopt;
    return AddedToken{.content = content, .special = true};
  }

  void add_named(const char* name) {
    if (auto token = named(name)) add_special(std::move(*token));
  }

  void add_extra(const char* name) {
    const Json* tokens = find(name);
    if (tokens == nullptr) return;
    if (!tokens->is_array() && !tokens->is_object()) throw_user_error("`{}` must be a list of tokens", name);
    for (const Json& token : *tokens) add_special(read_token(token, name));
  }

  /// Other keys that end in `_token` name tokens to Transformers 5, and nothing to version 4.
  void refuse_other_tokens() const {
    for (const auto& [key, value] : config_.items()) {
      const bool is_token = key.ends_with("_token") && (value.is_string() || value.is_object());
      if (!is_token || std::ranges::find(named_tokens, key) != std::end(named_tokens)) continue;
      const std::string content = read_token(value, key).content;
      if (!tokenizer_.is_added(content))
        throw_user_error(
            "`{}` names \"{}\", which is not among the added tokens: some versions of Transformers add it and "
            "some do not; list it in `additional_special_tokens` or remove the key",
            key, content);
    }
  }

  void set_special_ids() {
    const auto id = [&](const char* name, const char* otherwise) {
      auto token = named(name);
      if (!token && otherwise != nullptr) token = named(otherwise);
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
    const bool is_set = find(key) != nullptr;
    if (!is_set && !by_class) return;
    const bool wanted = is_set ? flag_of(config_, key, false) : *by_class;
    if (wanted && !token) throw_user_error("`{}` is true, but no such token is named", key);
    if (given == (wanted ? std::vector<TokenId>{*token} : std::vector<TokenId>{})) return;
    throw_user_error(
        "`{}` is {}{}, but the post_processor of tokenizer.json puts {} {} a text: versions of Transformers "
        "differ in which of the two holds; make them agree",
        key, wanted, is_set ? "" : fmt::format(" for a {} that does not set it", class_.name),
        given.empty() ? "nothing" : fmt::format("the ids [{}]", fmt::join(given, ", ")), place);
  }

  void require_prefix_space() const {
    const bool is_set = find("add_prefix_space") != nullptr;
    if (!is_set && !class_.adds_prefix_space) return;
    const bool wanted = is_set ? flag_of(config_, "add_prefix_space", false) : *class_.adds_prefix_space;
    const BpeTokenizer::Parts& parts = tokenizer_.parts;
    const bool given = parts.pre_tokenizer.adds_prefix() || parts.normalizer.prepends();
    if (given == wanted) return;
    throw_user_error(
        "`add_prefix_space` is {}{}, but tokenizer.json {} one: versions of Transformers differ in which of the "
        "two holds; make them agree",
        wanted, is_set ? "" : fmt::format(" for a {} that does not set it", class_.name),
        given ? "adds" : "does not add");
  }

  Json config_;
  HfTokenizer& tokenizer_;
  TokenizerClass class_;
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

}  // namespace primus::tokenizer
