#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

/// A compiled regular expression over valid UTF-8, with Unicode classes. `\s` means Unicode's White_Space, as
/// in Hugging Face's engine (PCRE2 alone would count U+180E too). Classes are those of Unicode 14, so
/// characters assigned later are cut as symbols.
class SplitPattern {
 public:
  /// Throws UserError with the position when the expression does not compile.
  explicit SplitPattern(std::string_view expression);
  ~SplitPattern();
  SplitPattern(SplitPattern&&) noexcept;
  SplitPattern& operator=(SplitPattern&&) noexcept;

  /// All matches from left to right; empty matches are left out. `text` must be valid UTF-8.
  std::vector<Range> find_all(std::string_view text) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace primus::tokenizer
