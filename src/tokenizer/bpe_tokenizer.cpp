#include "tokenizer/bpe_tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"

namespace primus::tokenizer {

namespace {

/// The byte of a token of the form <0x41>, or -1.
int fallback_byte(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

BpeTokenizer::BpeTokenizer(BpeModel model, Parts parts) : model_(std::move(model)), parts_(std::move(parts)) {
  TokenId end = model_.vocabulary().end();
  for (const AddedToken& token : parts_.added_tokens.tokens()) {
    added_.add_unfindable(token.content, token.id);
    end = std::max(end, token.id + 1);
  }
  vocab_size_ = end;
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids = parts_.prefix;
  std::size_t at = 0;
  for (const AddedTokens::Match& match : parts_.added_tokens.find_all(text)) {
    encode_segment(text.substr(at, match.begin - at), at == 0, ids);
    ids.push_back(match.id);
    at = match.end;
  }
  encode_segment(text.substr(at), at == 0, ids);
  ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void BpeTokenizer::encode_segment(std::string_view segment, bool at_text_start,
                                  std::vector<TokenId>& ids) const {
  if (segment.empty()) return;
  std::string text(segment);
  parts_.normalizer.apply(text);
  for (const Range& word : parts_.pre_tokenizer.split(text, at_text_start))
    model_.encode(std::string_view(text).substr(word.begin, word.end - word.begin), ids);
}

std::string BpeTokenizer::decode(std::span<const TokenId> ids) const {
  const SpaceDecoding& spaces = parts_.spaces;
  std::string text;
  for (const TokenId id : ids) {
    if (added_.contains(id)) {
      text += added_.text(id);
      continue;
    }
    std::string piece = model_.vocabulary().text(id);
    if (!spaces.stand_in.empty()) {
      const int byte = fallback_byte(piece);
      if (byte >= 0) piece = std::string(1, static_cast<char>(byte));
      replace_all(piece, spaces.stand_in, " ");
    }
    text += piece;
  }
  if (spaces.strip_first && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace primus::tokenizer
