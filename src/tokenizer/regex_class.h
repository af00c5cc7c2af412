#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace primus::tokenizer {

/// Something that matches one character, in PCRE2's syntax: items of a bracket, and matchers that cannot
/// stand in one.
struct CharacterClass {
  std::string items;
  std::vector<std::string> others;
  bool negated = false;

  void add(const CharacterClass& other);
  void add_range(char32_t first, char32_t last);
  /// The class as an atom that a quantifier can follow.
  std::string atom() const;
};

/// Reads one pattern from left to right.
struct PatternReader {
  std::string_view text;
  std::size_t at = 0;
  bool ignore_case = false;
  /// How many brackets and groups are open.
  int depth = 0;

  bool done() const { return at >= text.size(); }
  char peek(std::size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  bool take(std::string_view expected);
  /// The next character with all its bytes.
  std::string_view take_character();
  [[noreturn]] void refuse(std::string_view what) const;
  /// Counts a bracket or group that opens.
  void descend();
};

/// What a backslash stands for: the class after `\p`, `\s` and their like, or one character's code point.
/// `reader` is behind the backslash. Nothing for escapes that are neither.
struct Escape {
  std::optional<CharacterClass> characters;
  char32_t code_point = 0;
};
std::optional<Escape> read_escape(PatternReader& reader, bool in_brackets);

/// Reads a bracket; `reader` is behind its `[`.
CharacterClass read_class(PatternReader& reader);

/// A code point in PCRE2's syntax, inside and outside of brackets.
std::string spell(char32_t code_point);

/// What Oniguruma's `\w` matches, as items of a bracket: Latin-1's superscript digits and fractions too,
/// though not in brackets.
inline constexpr std::string_view oniguruma_word_items =
    R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

}  // namespace primus::tokenizer
