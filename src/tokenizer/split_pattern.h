#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex_syntax.h"

namespace primus::tokenizer {

/// A piece of a text, as the byte range [begin, end).
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Range&) const = default;
};

/// The regular expressions with which well-known tokenizers cut text into words.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// What Hugging Face's own code, which is Rust, takes for characters of a word, as items of a bracket.
inline constexpr std::string_view word_items = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d})";

/// Whether PCRE2 takes the expression, which is in its own syntax.
bool pcre2_compiles(const std::string& expression);

/// A compiled regular expression over valid UTF-8, with Unicode classes. Classes are those of the installed
/// PCRE2 (Unicode 14 for 10.42): characters assigned later belong to none.
class SplitPattern {
 public:
  /// Throws UserError when the expression does not compile, or says what PCRE2 cannot.
  explicit SplitPattern(std::string_view expression, RegexSyntax syntax = RegexSyntax::oniguruma);
  /// Matches `text` and nothing else.
  static SplitPattern literal(std::string_view text);
  ~SplitPattern();
  SplitPattern(SplitPattern&&) noexcept;
  SplitPattern& operator=(SplitPattern&&) noexcept;

  /// All matches from left to right, empty ones too except right behind another match. `text` must be valid
  /// UTF-8.
  std::vector<Range> find_all(std::string_view text) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace primus::tokenizer
