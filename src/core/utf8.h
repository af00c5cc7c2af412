#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace primus {

/// One decoded character: its code point and the number of bytes it takes; `size` is 0 for invalid UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;
};

/// The character at byte `at`. Refuses overlong forms, surrogates and values above U+10FFFF.
CodePoint decode_utf8(std::string_view text, std::size_t at);

/// Whether the character has Unicode's property White_Space.
bool is_white_space(char32_t value);

void append_utf8(std::string& text, char32_t value);

/// What some programs write in front of a text; no part of it.
inline constexpr char32_t byte_order_mark = 0xFEFF;
std::string_view without_byte_order_mark(std::string_view text);

/// The byte position of the first invalid sequence, or `std::string_view::npos`.
std::size_t find_invalid_utf8(std::string_view text);

/// Throws UserError with the byte position when `text` is not valid UTF-8.
void require_utf8(std::string_view text);

}  // namespace primus
