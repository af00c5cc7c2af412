#include "core/utf8.h"

#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace primus {

namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

bool is_scalar_value(char32_t value) { return value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF); }

/// The number of leading bytes that are ASCII, found eight at a time.
std::size_t ascii_prefix(std::string_view text, std::size_t at) {
  std::uint64_t block;
  while (at + sizeof block <= text.size()) {
    std::memcpy(&block, text.data() + at, sizeof block);
    if ((block & 0x8080808080808080ull) != 0) break;
    at += sizeof block;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t offset) { return static_cast<unsigned char>(text[at + offset]); };
  if (at >= text.size()) return {};
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + size > text.size()) return {};
  char32_t value = lead & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(byte(i))) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[size] || !is_scalar_value(value)) return {};
  return {value, size};
}

bool is_white_space(char32_t value) {
  return (value >= '\t' && value <= '\r') || value == ' ' || value == 0x85 || value == 0xA0 ||
         value == 0x1680 || (value >= 0x2000 && value <= 0x200A) || value == 0x2028 || value == 0x2029 ||
         value == 0x202F || value == 0x205F || value == 0x3000;
}

void append_utf8(std::string& text, char32_t value) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | value >> 6);
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | value >> 18);
    put(0x80 | (value >> 12 & 0x3F));
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

std::string_view without_byte_order_mark(std::string_view text) {
  const CodePoint first = decode_utf8(text, 0);
  return text.substr(first.value == byte_order_mark ? first.size : 0);
}

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = ascii_prefix(text, 0); at < text.size(); at = ascii_prefix(text, at)) {
    const CodePoint character = decode_utf8(text, at);
    if (character.size == 0) return at;
    at += character.size;
  }
  return std::string_view::npos;
}

void require_utf8(std::string_view text) {
  const std::size_t at = find_invalid_utf8(text);
  if (at != std::string_view::npos)
    throw_user_error(
        "text is not valid UTF-8 at byte {} (0x{:02x}), and bytes do not tell which encoding it has; once "
        "you know, "
        "convert it: `iconv -f ENCODING -t UTF-8`, where ENCODING is WINDOWS-1252, GB18030, SHIFT_JIS or the "
        "like",
        at, static_cast<unsigned char>(text[at]));
}

}  // namespace primus
