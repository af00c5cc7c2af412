#include "tokenizer/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/regex_class.h"

namespace primus::tokenizer {

namespace {

template <auto release>
struct Release {
  void operator()(auto* object) const { release(object); }
};
using CompiledCode = std::unique_ptr<pcre2_code, Release<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Release<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Release<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Release<pcre2_jit_stack_free>>;

std::string error_text(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

CompiledCode compile(std::string_view pattern, int& error) {
  std::size_t offset = 0;
  return CompiledCode(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                                    &error, &offset, nullptr));
}

/// Matches with a large stack, for texts on which the usual one does not suffice.
int match_with_large_stack(const pcre2_code* code, std::string_view text, std::size_t at,
                           pcre2_match_data* data) {
  constexpr std::size_t first = 1 << 20, largest = std::size_t{1} << 30;  // bytes, taken as they are needed
  const JitStack stack(pcre2_jit_stack_create(first, largest, nullptr));
  const MatchContext context(pcre2_match_context_create(nullptr));
  if (stack == nullptr || context == nullptr) throw Error("out of memory while splitting text into words");
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  constexpr std::uint32_t unlimited = ~0u;
  pcre2_set_match_limit(context.get(), unlimited);
  pcre2_set_depth_limit(context.get(), unlimited);
  pcre2_set_heap_limit(context.get(), static_cast<std::uint32_t>(largest >> 10));
  return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK,
                     data, context.get());
}

/// The next match from `at` on, in `data`; false when there is none.
bool match(const pcre2_code* code, std::string_view text, std::size_t at, pcre2_match_data* data) {
  int count = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                          PCRE2_NO_UTF_CHECK, data, nullptr);
  if (count != PCRE2_ERROR_NOMATCH && count < 0) count = match_with_large_stack(code, text, at, data);
  if (count == PCRE2_ERROR_NOMATCH) return false;
  if (count < 0) throw Error(fmt::format("splitting text into words failed: {}", error_text(count)));
  return true;
}

}  // namespace

bool pcre2_compiles(const std::string& expression) {
  int error = 0;
  return compile(expression, error) != nullptr;
}

struct SplitPattern::Code {
  pcre2_code* compiled = nullptr;
  ~Code() { pcre2_code_free(compiled); }
};

SplitPattern::SplitPattern(std::string_view expression, RegexSyntax syntax)
    : code_(std::make_unique<Code>()) {
  int error = 0;
  code_->compiled = compile(to_pcre2(expression, syntax), error).release();
  if (code_->compiled == nullptr)
    throw_user_error("the regular expression `{}` does not compile: {}", expression, error_text(error));
  // Without a just-in-time compiler for this machine, PCRE2 interprets: slower, same matches.
  pcre2_jit_compile(code_->compiled, PCRE2_JIT_COMPLETE);
}

SplitPattern SplitPattern::literal(std::string_view text) {
  std::string expression;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = decode_utf8(text, at);
    expression += spell(character.value);
    at += character.size;
  }
  return SplitPattern(expression);
}

SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;

std::vector<Range> SplitPattern::find_all(std::string_view text) const {
  std::vector<Range> matches;
  const MatchData data(pcre2_match_data_create(1, nullptr));
  for (std::size_t at = 0; at <= text.size() && match(code_->compiled, text, at, data.get());) {
    const PCRE2_SIZE* found = pcre2_get_ovector_pointer(data.get());
    const Range range{found[0], found[1]};
    const bool is_empty = range.begin == range.end;
    if (is_empty && !matches.empty() && matches.back().end == range.end) {
      at += at < text.size() ? decode_utf8(text, at).size : 1;
      continue;
    }
    matches.push_back(range);
    at = range.end;
  }
  return matches;
}

}  // namespace primus::tokenizer
