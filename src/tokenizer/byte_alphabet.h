#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace primus::tokenizer {

/// GPT-2's alphabet of printable stand-ins for the 256 bytes (Radford et al., "Language Models are
/// Unsupervised Multitask Learners", 2019): a printable Latin-1 byte stands for itself, the others for U+0100
/// upwards in byte order. Vocabulary files of byte-level BPE tokenizers are written in it.
const std::array<char32_t, 256>& byte_alphabet();

/// Any bytes, written in the alphabet (UTF-8).
std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that a text in the alphabet stands for; nothing when a character is outside of it.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace primus::tokenizer
