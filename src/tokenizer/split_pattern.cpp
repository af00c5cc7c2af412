#include "tokenizer/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/error.h"

namespace primus::tokenizer {

namespace {

constexpr std::string_view white_space =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, FreeMatchData>;

/// Spells `\s` out, and outside of brackets `\S`.
std::string with_unicode_white_space(std::string_view expression) {
  std::string result;
  bool in_class = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      const char escaped = expression[++i];
      if (escaped == 's') {
        result += in_class ? std::string(white_space) : fmt::format("[{}]", white_space);
      } else if (escaped == 'S' && !in_class) {
        result += fmt::format("[^{}]", white_space);
      } else {
        result += {c, escaped};
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    result += c;
  }
  return result;
}

std::string error_text(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct SplitPattern::Code {
  pcre2_code* compiled = nullptr;
  ~Code() { pcre2_code_free(compiled); }
};

SplitPattern::SplitPattern(std::string_view expression) : code_(std::make_unique<Code>()) {
  const std::string pattern = with_unicode_white_space(expression);
  int error = 0;
  std::size_t offset = 0;
  code_->compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                  PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code_->compiled == nullptr)
    throw_user_error("the split pattern `{}` does not compile: {}", expression, error_text(error));
  // Without a just-in-time compiler for this machine, PCRE2 interprets: slower, same matches.
  pcre2_jit_compile(code_->compiled, PCRE2_JIT_COMPLETE);
}

SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;

std::vector<Range> SplitPattern::find_all(std::string_view text) const {
  std::vector<Range> matches;
  const MatchData data(pcre2_match_data_create_from_pattern(code_->compiled, nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    const int count =
        pcre2_match(code_->compiled, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), nullptr);
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) throw Error(fmt::format("cutting text into words failed: {}", error_text(count)));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    if (range[1] == range[0]) {
      at = range[1] + 1;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
      continue;
    }
    matches.push_back({range[0], range[1]});
    at = range[1];
  }
  return matches;
}

}  // namespace primus::tokenizer
