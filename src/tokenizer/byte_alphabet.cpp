#include "tokenizer/byte_alphabet.h"

#include "core/utf8.h"

namespace primus::tokenizer {

namespace {

constexpr char32_t first_stand_in = 0x100;
constexpr char32_t alphabet_end = 0x144;  // 68 bytes need a stand-in

constexpr bool is_printable(char32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char32_t, 256> make_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = first_stand_in;
  for (char32_t byte = 0; byte < 256; ++byte) alphabet[byte] = is_printable(byte) ? byte : next++;
  return alphabet;
}

constexpr std::array<char32_t, 256> alphabet = make_alphabet();

constexpr std::array<int, alphabet_end> make_inverse() {
  std::array<int, alphabet_end> inverse{};
  inverse.fill(-1);
  for (int byte = 0; byte < 256; ++byte) inverse[alphabet[static_cast<std::size_t>(byte)]] = byte;
  return inverse;
}

constexpr std::array<int, alphabet_end> inverse_alphabet = make_inverse();

}  // namespace

const std::array<char32_t, 256>& byte_alphabet() { return alphabet; }

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, alphabet[static_cast<unsigned char>(byte)]);
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = decode_utf8(text, at);
    if (character.size == 0 || character.value >= alphabet_end || inverse_alphabet[character.value] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(inverse_alphabet[character.value]));
    at += character.size;
  }
  return bytes;
}

}  // namespace primus::tokenizer
