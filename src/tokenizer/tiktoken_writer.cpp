// Writing a tiktoken vocabulary in Hugging Face's format.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/hf_writer.h"
#include "tokenizer/tiktoken_vocabulary.h"

namespace primus::tokenizer {

namespace {

using Json = nlohmann::json;

/// What puts tokens in front of every text.
Json template_json(const TiktokenVocabulary& vocabulary) {
  Json single = Json::array(), tokens = Json::object();
  for (const AddedToken& token : vocabulary.parts.added_tokens) {
    if (std::ranges::find(vocabulary.parts.prefix, token.id) == vocabulary.parts.prefix.end()) continue;
    single.push_back({{"SpecialToken", {{"id", token.content}, {"type_id", 0}}}});
    tokens[token.content] = {
        {"id", token.content}, {"ids", {token.id}}, {"tokens", Json::array({token.content})}};
  }
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  Json pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

}  // namespace

Json to_huggingface(const TiktokenVocabulary& vocabulary) {
  Json ids = Json::object(), added = Json::array(), merges = Json::array();
  for (const AddedToken& token : vocabulary.parts.added_tokens) {
    ids[token.content] = token.id;
    added.push_back(special_token_json(token.id, token.content));
  }
  const auto key = [&](TokenId id) {
    return to_byte_alphabet(vocabulary.pieces[static_cast<std::size_t>(id - vocabulary.first_id)]);
  };
  const TokenId end = vocabulary.first_id + static_cast<TokenId>(vocabulary.pieces.size());
  for (TokenId id = vocabulary.first_id; id < end; ++id) {
    if (!ids.emplace(key(id), id).second)
      throw_user_error(
          "{}: the piece {} is spelled as a special token is, which a tokenizer.json cannot hold",
          vocabulary.parts.description, key(id));
  }
  for (const auto& [left, right, rank] : merges_of(vocabulary)) merges.push_back({key(left), key(right)});
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", vocabulary.pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  Json json = tokenizer_json(std::move(added),
                             {{"type", "Sequence"}, {"pretokenizers", {split, byte_level_json(false)}}});
  if (!vocabulary.parts.prefix.empty()) json["post_processor"] = template_json(vocabulary);
  json["model"] = bpe_model_json(std::move(ids), std::move(merges), /*ignore_merges=*/true);
  return json;
}

}  // namespace primus::tokenizer
