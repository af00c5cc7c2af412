#include "tokenizer/vocabulary.h"

#include <algorithm>

#include "core/error.h"

namespace primus::tokenizer {

namespace {
/// Larger than any vocabulary in use: the model's embedding has a row for each id.
constexpr TokenId largest_id = 1 << 24;
}  // namespace

void Vocabulary::set_text(const std::string& text, TokenId id) {
  if (id < 0 || id > largest_id) throw_user_error("the id {} of token \"{}\" is out of range", id, text);
  if (contains(id))
    throw_user_error("the id {} is given to two tokens, \"{}\" and \"{}\"", id, this->text(id), text);
  texts_.emplace(id, text);
  end_ = std::max(end_, id + 1);
}

void Vocabulary::add(std::string text, TokenId id) {
  set_text(text, id);
  ids_.emplace(std::move(text), id);
}

void Vocabulary::add_unfindable(std::string text, TokenId id) { set_text(text, id); }

TokenId Vocabulary::find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? none : found->second;
}

bool Vocabulary::contains(TokenId id) const { return texts_.contains(id); }

const std::string& Vocabulary::text(TokenId id) const {
  const auto found = texts_.find(id);
  if (found == texts_.end())
    throw_user_error("token id {} is not in the vocabulary (ids 0 to {})", id, end() - 1);
  return found->second;
}

}  // namespace primus::tokenizer
