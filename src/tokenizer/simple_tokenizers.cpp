#include "tokenizer/simple_tokenizers.h"

#include <charconv>
#include <limits>

#include "core/error.h"
#include "core/utf8.h"

namespace primus::tokenizer {

NullTokenizer::NullTokenizer(std::int64_t vocab_size) : eod_(static_cast<TokenId>(vocab_size)) {
  if (vocab_size < 1 || vocab_size >= std::numeric_limits<TokenId>::max())
    throw_user_error("NullTokenizer needs a vocab_size from 1 to 2^31 - 2, not {}", vocab_size);
}

std::vector<TokenId> NullTokenizer::encode(std::string_view text) const {
  constexpr std::string_view space = " \t\r\n";
  std::vector<TokenId> ids;
  for (std::size_t at = 0; (at = text.find_first_not_of(space, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(space, at), text.size());
    TokenId id = 0;
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + end, id);
    if (error != std::errc() || rest != text.data() + end || id < 0 || id > eod_)
      throw_user_error("NullTokenizer reads ids from 0 to {}, not \"{}\"", eod_, text.substr(at, end - at));
    ids.push_back(id);
    at = end;
  }
  return ids;
}

std::string NullTokenizer::decode(std::span<const TokenId> ids) const {
  return fmt::format("{}", fmt::join(ids, " "));
}

std::string NullTokenizer::description() const { return fmt::format("NullTokenizer {}", eod_); }

std::vector<TokenId> ByteLevelTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids;
  ids.reserve(text.size());
  for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  return ids;
}

std::string ByteLevelTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size())
      throw_user_error("token id {} is not in the vocabulary (ids 0 to 511)", id);
    if (id < 256) text.push_back(static_cast<char>(id));
  }
  return text;
}

}  // namespace primus::tokenizer
