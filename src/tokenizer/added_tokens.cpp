#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "core/utf8.h"

namespace primus::tokenizer {

namespace {

std::size_t without_space_before(std::string_view text, std::size_t at, std::size_t limit) {
  while (at > limit) {
    std::size_t start = at - 1;
    while (start > limit && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (!is_white_space(decode_utf8(text, start).value)) break;
    at = start;
  }
  return at;
}

std::size_t without_space_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint character = decode_utf8(text, at);
    if (!is_white_space(character.value)) break;
    at += character.size;
  }
  return at;
}

}  // namespace

void AddedTokens::add(AddedToken token) {
  if (token.content.empty()) return;
  auto& bucket = by_first_byte_[static_cast<unsigned char>(token.content.front())];
  const auto shorter = [&](std::size_t index) {
    return tokens_[index].content.size() < token.content.size();
  };
  bucket.insert(std::ranges::find_if(bucket, shorter), tokens_.size());
  tokens_.push_back(std::move(token));
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  for (const std::size_t index : by_first_byte_[static_cast<unsigned char>(text[at])]) {
    if (text.substr(at).starts_with(tokens_[index].content)) return &tokens_[index];
  }
  return nullptr;
}

std::vector<AddedTokens::Match> AddedTokens::find_all(std::string_view text) const {
  std::vector<Match> matches;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const std::size_t begin = token->strip_left ? without_space_before(text, at, done) : at;
    at += token->content.size();
    if (token->strip_right) at = without_space_after(text, at);
    matches.push_back({begin, at, token->id});
    done = at;
  }
  return matches;
}

}  // namespace primus::tokenizer
