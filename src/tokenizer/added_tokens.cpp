#include "tokenizer/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.h"
#include "tokenizer/white_space.h"

namespace primus::tokenizer {

void AddedTokens::add(const AddedToken& token, std::string written) {
  if (written.empty()) return;
  auto& bucket = by_first_byte_[static_cast<unsigned char>(written.front())];
  const auto shorter = [&](std::size_t index) { return entries_[index].written.size() < written.size(); };
  bucket.insert(std::ranges::find_if(bucket, shorter), entries_.size());
  entries_.push_back({std::move(written), token});
  if (token.single_word && word_character_ == nullptr)
    word_character_ = std::make_shared<const SplitPattern>(fmt::format("[{}]", word_items));
}

const AddedTokens::Entry* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  for (const std::size_t index : by_first_byte_[static_cast<unsigned char>(text[at])]) {
    if (text.substr(at).starts_with(entries_[index].written)) return &entries_[index];
  }
  return nullptr;
}

bool AddedTokens::stands_alone(std::string_view text, std::size_t begin, std::size_t end) const {
  std::size_t before = begin;
  while (before > 0 && (before == begin || (static_cast<unsigned char>(text[before]) & 0xC0) == 0x80))
    --before;
  const auto is_word = [&](std::string_view character) {
    return !word_character_->find_all(character).empty();
  };
  if (is_word(text.substr(before, begin - before))) return false;
  return end == text.size() || !is_word(text.substr(end, decode_utf8(text, end).size));
}

std::vector<AddedTokens::Match> AddedTokens::find_all(std::string_view text) const {
  std::vector<Match> matches;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Entry* entry = longest_at(text, at);
    if (entry == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + entry->written.size();
    at = end;
    const AddedToken& token = entry->token;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    // Space that another match has swallowed is not swallowed again; a token that lay in it may be gone.
    if (token.strip_left) begin = std::max(without_space_before(text, begin), done);
    if (token.strip_right) end = without_space_after(text, end);
    if (begin < end) matches.push_back({begin, end, token.id});
    done = end;
  }
  return matches;
}

}  // namespace primus::tokenizer
