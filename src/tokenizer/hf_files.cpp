// Reading the tokenizer.json of Hugging Face's tokenizers, and GPT-2's two files.
#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "core/file_kind.h"
#include "core/json_object.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/hf_tokenizer.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const AddedToken* HfTokenizer::find_added(std::string_view content) const {
  const auto found = std::ranges::find(parts.added_tokens, content, &AddedToken::content);
  return found == parts.added_tokens.end() ? nullptr : &*found;
}

std::optional<TokenId> HfTokenizer::find(std::string_view content) const {
  if (const AddedToken* added = find_added(content)) return added->id;
  const auto found = vocabulary_.find(content);
  return found == vocabulary_.end() ? std::nullopt : std::optional(found->get<TokenId>());
}

void HfTokenizer::add(AddedToken token, std::optional<std::int64_t> claimed) {
  if (token.content.empty()) return;
  auto next = static_cast<TokenId>(vocabulary_.size());
  for (const AddedToken& added : parts.added_tokens) next = std::max(next, added.id + 1);
  const auto own = find(token.content);
  token.id = own.value_or(next);
  if (!own && model.vocabulary().contains(next))
    throw_user_error(
        "the token \"{}\" would get the id {}, which belongs to another token: 'model.vocab' has gaps",
        token.content, next);
  if (claimed && *claimed != token.id)
    throw_user_error(
        "the token \"{}\" has the id {} here, but Transformers gives it {}: the model's own id, or the next "
        "free one; write that id",
        token.content, *claimed, token.id);
  std::erase_if(parts.added_tokens, [&](const AddedToken& added) { return added.id == token.id; });
  parts.added_tokens.push_back(std::move(token));
}

void HfTokenizer::add_special(AddedToken token) {
  if (const AddedToken* added = find_added(token.content)) token = *added;
  token.special = true;
  add(std::move(token), std::nullopt);
}

namespace {

Vocabulary read_vocabulary(const Json& vocab, bool byte_level) {
  if (!vocab.is_object()) throw UserError("'model.vocab' must be an object of tokens and their ids");
  Vocabulary vocabulary;
  for (const auto& [key, id] : vocab.items()) {
    const auto value = whole_number<TokenId>(id, fmt::format("the id of token \"{}\"", key));
    auto bytes = byte_level ? from_byte_alphabet(key) : key;
    if (bytes) {
      vocabulary.add(std::move(*bytes), value);
    } else {
      // No word can be cut into this token; it exists to be decoded.
      vocabulary.add_unfindable(key, value);
    }
  }
  return vocabulary;
}

/// The two halves of a merge, which is a pair or a text with one space in it.
std::pair<std::string, std::string> merge_halves(const Json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  const std::string text = merge.is_string() ? merge.get<std::string>() : "";
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
    throw_user_error("the merge {} must be two tokens, in a list or separated by a space", merge.dump());
  return {text.substr(0, space), text.substr(space + 1)};
}

TokenId require_token(const Vocabulary& vocabulary, const std::string& key, bool byte_level,
                      const char* role) {
  const std::string text = byte_level ? from_byte_alphabet(key).value_or(key) : key;
  const TokenId id = vocabulary.find(text);
  if (id == Vocabulary::none) throw_user_error("the {} \"{}\" is not in the vocabulary", role, key);
  return id;
}

BpeModel read_model(const Json& description, bool byte_level) {
  return JsonObject::read_all(description, "model", [&](const JsonObject& model) {
    const std::string type =
        model.get<std::string>("type", model.find("merges") != nullptr ? "BPE" : "of unnamed type");
    if (type != "BPE") throw_user_error("the model {} is not supported, only BPE", type);
    model.require_unused("continuing_subword_prefix", {""});
    model.require_unused("end_of_word_suffix", {""});
    model.require_unused("dropout", {0});
    Vocabulary vocabulary = read_vocabulary(model.at("vocab"), byte_level);
    std::vector<BpeModel::RankedMerge> merges;
    model.each_value("merges", [&](const Json& merge, const std::string&) {
      const auto [left, right] = merge_halves(merge);
      merges.push_back({require_token(vocabulary, left, byte_level, "half of a merge"),
                        require_token(vocabulary, right, byte_level, "half of a merge"),
                        static_cast<std::uint32_t>(merges.size())});
    });
    BpeModel::Options options{.byte_level = byte_level,
                              .ignore_merges = model.get<bool>("ignore_merges", false),
                              .byte_fallback = model.get<bool>("byte_fallback", false),
                              .unknown = std::nullopt,
                              .fuse_unknown = model.get<bool>("fuse_unk", false)};
    if (model.find("unk_token") != nullptr)
      options.unknown =
          require_token(vocabulary, model.get<std::string>("unk_token"), byte_level, "'unk_token'");
    return BpeModel(std::move(vocabulary), merges, options);
  });
}

void read_added_token(const JsonObject& token, HfTokenizer& tokenizer) {
  const bool special = token.get<bool>("special");
  tokenizer.add({.content = token.get<std::string>("content"),
                 .id = 0,
                 .special = special,
                 .normalized = token.get<bool>("normalized", !special),
                 .single_word = token.get<bool>("single_word"),
                 .strip_left = token.get<bool>("lstrip"),
                 .strip_right = token.get<bool>("rstrip")},
                token.get<std::int64_t>("id"));
}

/// What a post-processor puts before and after a single text.
struct Surroundings {
  std::vector<TokenId> before, after;
};

std::vector<TokenId> read_ids(const Json& special_tokens, const std::string& name) {
  const auto token = special_tokens.find(name);
  if (token == special_tokens.end()) throw_user_error("\"{}\" is not among 'special_tokens'", name);
  std::vector<TokenId> ids;
  for (const Json& id : token->at("ids"))
    ids.push_back(whole_number<TokenId>(id, "an id in 'special_tokens'"));
  return ids;
}

Surroundings read_template(const JsonObject& processor) {
  processor.ignore({"pair"});  // documents are single texts
  const Json& special_tokens = processor.at("special_tokens");
  Surroundings result;
  int texts = 0;
  processor.each("single", [&](const JsonObject& part) {
    if (const Json* sequence = part.find("Sequence")) {
      if (sequence->at("id") != "A") part.refuse("a template for one text has no text B");
      ++texts;
    } else {
      const auto ids = read_ids(special_tokens, part.at("SpecialToken").at("id").get<std::string>());
      auto& side = texts == 0 ? result.before : result.after;
      side.insert(side.end(), ids.begin(), ids.end());
    }
  });
  if (texts != 1) processor.refuse("'single' must have the text once");
  return result;
}

/// [SEP] and [CLS] of BERT and RoBERTa, pairs of a token and its id.
Surroundings read_bert_template(const JsonObject& processor) {
  processor.ignore({"trim_offsets", "add_prefix_space"});  // RoBERTa's, for offsets
  const auto id = [&](const char* token) {
    return whole_number<TokenId>(processor.at(token).at(1), fmt::format("the id of '{}'", token));
  };
  return {{id("cls")}, {id("sep")}};
}

void read_post_processor(const Json& description, const std::string& path,
                         std::optional<Surroundings>& result) {
  JsonObject::read_all(description, path, [&](const JsonObject& processor) {
    const std::string type = processor.get<std::string>("type");
    const bool is_template = type == "TemplateProcessing",
               is_bert = type == "BertProcessing" || type == "RobertaProcessing";
    if (type == "Sequence") {
      processor.each_value("processors", [&](const Json& part, const std::string& at) {
        read_post_processor(part, at, result);
      });
    } else if (is_template || is_bert) {
      if (result)
        processor.refuse("a second template is not supported; Transformers follows the first alone");
      result = is_template ? read_template(processor) : read_bert_template(processor);
    } else if (type == "ByteLevel") {
      processor.ignore({"add_prefix_space", "trim_offsets", "use_regex"});  // it changes offsets alone
    } else {
      processor.refuse(
          fmt::format("the post-processor {} is not supported (supported: TemplateProcessing, "
                      "BertProcessing, RobertaProcessing, ByteLevel, Sequence)",
                      type));
    }
  });
}

/// `json` is a tokenizer.json, and must outlive the result.
HfTokenizer read_tokenizer(const Json& json) {
  return JsonObject::read_all(json, "", [&](const JsonObject& file) {
    // Transformers switches truncation and padding off in every call that does not ask for them.
    file.ignore({"version", "truncation", "padding"});
    BpeTokenizer::Parts parts;
    if (const Json* stage = file.find("normalizer")) parts.normalizer = Normalizer(*stage, "normalizer");
    if (const Json* stage = file.find("pre_tokenizer"))
      parts.pre_tokenizer = PreTokenizer(*stage, "pre_tokenizer");
    if (const Json* stage = file.find("decoder")) parts.decoder = Decoder(*stage, "decoder");
    std::optional<Surroundings> around;
    if (const Json* stage = file.find("post_processor"))
      read_post_processor(*stage, "post_processor", around);
    if (around) parts.prefix = std::move(around->before), parts.suffix = std::move(around->after);
    BpeModel model = read_model(file.at("model"), parts.pre_tokenizer.byte_level());
    HfTokenizer tokenizer(std::move(model), std::move(parts), file.at("model").at("vocab"));
    if (file.find("added_tokens") != nullptr)
      file.each("added_tokens", [&](const JsonObject& token) { read_added_token(token, tokenizer); });
    return tokenizer;
  });
}

/// Refuses a template with ids that no token has.
void require_ids(const HfTokenizer& tokenizer) {
  for (const auto* ids : {&tokenizer.parts.prefix, &tokenizer.parts.suffix}) {
    for (const TokenId id : *ids) {
      const bool is_added = std::ranges::find(tokenizer.parts.added_tokens, id, &AddedToken::id) !=
                            tokenizer.parts.added_tokens.end();
      if (!is_added && !tokenizer.model.vocabulary().contains(id))
        throw_user_error("'post_processor' adds the id {}, which no token has", id);
    }
  }
}

}  // namespace

std::unique_ptr<BpeTokenizer> load_huggingface(const fs::path& path, bool include_special_tokens) {
  const fs::path file = fs::is_directory(path) ? path / "tokenizer.json" : path;
  const Json json = read_json(file);
  HfTokenizer tokenizer = in_file(file, [&] { return read_tokenizer(json); });
  if (!include_special_tokens) tokenizer.parts.prefix = tokenizer.parts.suffix = {};
  read_hf_config(file.parent_path(), include_special_tokens, tokenizer);
  in_file(file, [&] { require_ids(tokenizer); });
  tokenizer.parts.description = fmt::format("HuggingFaceTokenizer {}", file.string());
  return std::make_unique<BpeTokenizer>(std::move(tokenizer.model), std::move(tokenizer.parts));
}

std::unique_ptr<BpeTokenizer> load_gpt2(const fs::path& vocab_file, const fs::path& merge_file) {
  const Json vocab = read_json(vocab_file);
  Json merges = Json::array();
  std::istringstream lines(read_text_file(merge_file));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  if (merges.empty()) throw_user_error("{}: contains no merges", merge_file.string());
  BpeTokenizer::Parts parts;
  BpeModel model = in_file(
      vocab_file, [&] { return read_model({{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}, true); });
  parts.pre_tokenizer = PreTokenizer::gpt2();
  parts.decoder = Decoder::byte_level();
  const TokenId id = model.vocabulary().find(end_of_text);
  if (id != Vocabulary::none) {
    parts.added_tokens.push_back({.content = std::string(end_of_text), .id = id, .special = true});
    parts.bos = parts.eos = id;
  }
  parts.description = fmt::format("GPT2BPETokenizer {}", vocab_file.string());
  return std::make_unique<BpeTokenizer>(std::move(model), std::move(parts));
}

}  // namespace primus::tokenizer
