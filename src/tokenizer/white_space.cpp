#include "tokenizer/white_space.h"

#include "core/utf8.h"

namespace primus::tokenizer {

std::size_t without_space_before(std::string_view text, std::size_t at) {
  while (at > 0) {
    std::size_t start = at - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
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

}  // namespace primus::tokenizer
