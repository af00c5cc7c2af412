#include "tokenizer/bpe_tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"

namespace primus::tokenizer {

BpeTokenizer::BpeTokenizer(BpeModel model, Parts parts) : model_(std::move(model)), parts_(std::move(parts)) {
  TokenId end = model_.vocabulary().end();
  for (const AddedToken& token : parts_.added_tokens) {
    added_.add_unfindable(token.content, token.id);
    end = std::max(end, token.id + 1);
    if (token.special && parts_.split_special_tokens) continue;
    if (token.normalized) {
      std::string written = token.content;
      parts_.normalizer.apply(written);
      normalized_.add(token, std::move(written));
    } else {
      raw_.add(token, token.content);
    }
  }
  vocab_size_ = end;
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids = parts_.prefix;
  raw_.cut(
      text, [&](std::string_view segment, bool opens_text) { encode_segment(segment, opens_text, ids); },
      [&](TokenId id) { ids.push_back(id); });
  ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void BpeTokenizer::encode_segment(std::string_view segment, bool at_text_start,
                                  std::vector<TokenId>& ids) const {
  std::string text(segment);
  parts_.normalizer.apply(text);
  normalized_.cut(
      text, [&](std::string_view part, bool opens) { encode_words(part, opens && at_text_start, ids); },
      [&](TokenId id) { ids.push_back(id); });
}

void BpeTokenizer::encode_words(std::string_view part, bool at_text_start, std::vector<TokenId>& ids) const {
  std::string text(part);
  for (const Range& word : parts_.pre_tokenizer.split(text, at_text_start))
    model_.encode(std::string_view(text).substr(word.begin, word.end - word.begin), ids);
}

std::string BpeTokenizer::token(TokenId id) const {
  if (added_.contains(id)) return added_.text(id);
  const std::string& text = model_.vocabulary().text(id);
  const bool is_bytes = parts_.pre_tokenizer.byte_level() && model_.vocabulary().find(text) == id;
  return is_bytes ? to_byte_alphabet(text) : text;
}

std::string BpeTokenizer::decode(std::span<const TokenId> ids) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) tokens.push_back(token(id));
  return parts_.decoder.decode(std::move(tokens));
}

}  // namespace primus::tokenizer
