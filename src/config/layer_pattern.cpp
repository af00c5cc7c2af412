#include "config/layer_pattern.h"

#include <cctype>
#include <charconv>

namespace primus::config {

namespace {

constexpr std::size_t most_layers = 100'000;
constexpr int deepest = 50;

/// An integer or a list of integers, while an expression is evaluated.
struct Term {
  bool is_list = false;
  std::int64_t number = 0;
  std::vector<std::int64_t> items;
};

/// sum := product ('+' product)*;  product := atom ('*' atom)*;  atom := integer | '[' sum, ... ']' | '(' sum
/// ')'
class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view text) : text_(text) {}

  std::optional<Term> parse() {
    auto term = sum(0);
    skip_blanks();
    return at_ == text_.size() ? term : std::nullopt;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::optional<Term> sum(int depth) {
    auto left = product(depth);
    while (left && take('+')) {
      const auto right = product(depth);
      if (!right || right->is_list != left->is_list) return std::nullopt;
      if (left->is_list) {
        left->items.insert(left->items.end(), right->items.begin(), right->items.end());
        if (left->items.size() > most_layers) return std::nullopt;
      } else if (__builtin_add_overflow(left->number, right->number, &left->number)) {
        return std::nullopt;
      }
    }
    return left;
  }

  std::optional<Term> product(int depth) {
    auto left = atom(depth);
    while (left && take('*')) {
      const auto right = atom(depth);
      if (!right || (left->is_list && right->is_list)) return std::nullopt;
      left = multiply(*left, *right);
    }
    return left;
  }

  static std::optional<Term> multiply(const Term& left, const Term& right) {
    Term result;
    if (!left.is_list && !right.is_list) {
      if (__builtin_mul_overflow(left.number, right.number, &result.number)) return std::nullopt;
      return result;
    }
    const Term& list = left.is_list ? left : right;
    const std::int64_t times = left.is_list ? right.number : left.number;
    result.is_list = true;
    if (times > 0 && !list.items.empty() &&
        static_cast<std::size_t>(times) > most_layers / list.items.size()) {
      return std::nullopt;
    }
    for (std::int64_t i = 0; i < times && !list.items.empty(); ++i) {
      result.items.insert(result.items.end(), list.items.begin(), list.items.end());
    }
    return result;
  }

  std::optional<Term> atom(int depth) {
    if (depth > deepest) return std::nullopt;
    if (take('(')) {
      auto inner = sum(depth + 1);
      return take(')') ? inner : std::nullopt;
    }
    if (take('[')) return list(depth);
    skip_blanks();
    Term term;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), term.number);
    if (error != std::errc()) return std::nullopt;
    at_ += static_cast<std::size_t>(end - begin);
    return term;
  }

  std::optional<Term> list(int depth) {
    Term term;
    term.is_list = true;
    while (!take(']')) {
      if (!term.items.empty() && !take(',')) return std::nullopt;
      if (take(']')) break;
      const auto item = sum(depth + 1);
      if (!item || item->is_list) return std::nullopt;
      term.items.push_back(item->number);
    }
    return term;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<LayerPattern> parse_layer_pattern(std::string_view text) {
  const auto term = ExpressionParser(text).parse();
  if (!term) return std::nullopt;
  if (term->is_list) {
    if (term->items.empty()) return std::nullopt;
    return LayerPattern{1, term->items};
  }
  if (term->number < 1) return std::nullopt;
  return LayerPattern{term->number, {}};
}

}  // namespace primus::config
