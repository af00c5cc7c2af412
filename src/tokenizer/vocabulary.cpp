#include "tokenizer/vocabulary.h"

#include "core/error.h"

namespace primus::tokenizer {

namespace {
/// Larger than any vocabulary in use; a damaged file must not make us allocate the machine away.
constexpr TokenId largest_id = 1 << 24;
}  // namespace

void Vocabulary::set_text(const std::string& text, TokenId id) {
  if (id < 0 || id > largest_id) throw_user_error("the id {} of token \"{}\" is out of range", id, text);
  if (contains(id))
    throw_user_error("the id {} is given to two tokens, \"{}\" and \"{}\"", id, this->text(id), text);
  const auto index = static_cast<std::size_t>(id);
  if (index >= texts_.size()) {
    texts_.resize(index + 1);
    present_.resize(index + 1);
  }
  texts_[index] = text;
  present_[index] = true;
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

bool Vocabulary::contains(TokenId id) const {
  return id >= 0 && id < end() && present_[static_cast<std::size_t>(id)];
}

const std::string& Vocabulary::text(TokenId id) const {
  if (!contains(id)) throw_user_error("token id {} is not in the vocabulary (ids 0 to {})", id, end() - 1);
  return texts_[static_cast<std::size_t>(id)];
}

}  // namespace primus::tokenizer
