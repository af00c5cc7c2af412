#pragma once

#include <string>
#include <string_view>

namespace primus::tokenizer {

/// Who is meant to read a regular expression.
enum class RegexSyntax {
  /// Oniguruma with Ruby's syntax, which Hugging Face's tokenizers use.
  oniguruma,
  /// Rust's fancy-regex, which tiktoken uses. Known difference: `X{1,3}+` is possessive; Oniguruma repeats.
  tiktoken,
};

/// The expression in PCRE2's syntax (with PCRE2_UTF), so that it matches what its own engine matches. What
/// the engines read differently is spelled out: `\s`, `\w`, `\h`, `\b`, POSIX classes, set operations in
/// brackets, script names, `{,n}`, `{n}?`, `^`, `$`, `(?m)`. Throws UserError for what PCRE2 cannot say.
std::string to_pcre2(std::string_view expression, RegexSyntax syntax);

}  // namespace primus::tokenizer
