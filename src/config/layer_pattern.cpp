#include "config/layer_pattern.h"

#include <charconv>

#include "config/scanner.h"

namespace primus::config {

namespace {

constexpr std::size_t most_layers = 100'000;
constexpr int deepest = 50;

/// An integer or a list of integers, while an expression is evaluated.
struct PatternTerm {
  bool is_list = false;
  std::int64_t number = 0;
  std::vector<std::int64_t> items;
};

/// sum := product ('+' product)*;  product := atom ('*' atom)*;  atom := integer | '[' sum, ... ']' | '(' sum
/// ')'
class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view text) : scanner_(text) {}

  std::optional<PatternTerm> parse() {
    auto term = sum(0);
    return scanner_.at_end() ? term : std::nullopt;
  }

 private:
  std::optional<PatternTerm> sum(int depth) {
    auto left = product(depth);
    while (left && scanner_.take('+')) {
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

  std::optional<PatternTerm> product(int depth) {
    auto left = atom(depth);
    while (left && scanner_.take('*')) {
      const auto right = atom(depth);
      if (!right || (left->is_list && right->is_list)) return std::nullopt;
      left = multiply(*left, *right);
    }
    return left;
  }

  static std::optional<PatternTerm> multiply(const PatternTerm& left, const PatternTerm& right) {
    PatternTerm result;
    if (!left.is_list && !right.is_list) {
      if (__builtin_mul_overflow(left.number, right.number, &result.number)) return std::nullopt;
      return result;
    }
    const PatternTerm& list = left.is_list ? left : right;
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

  std::optional<PatternTerm> atom(int depth) {
    if (depth > deepest) return std::nullopt;
    if (scanner_.take('(')) {
      auto inner = sum(depth + 1);
      return scanner_.take(')') ? inner : std::nullopt;
    }
    if (scanner_.take('[')) return list(depth);
    PatternTerm term;
    const std::string_view rest = scanner_.rest();
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), term.number);
    if (error != std::errc()) return std::nullopt;
    scanner_.skip(static_cast<std::size_t>(end - rest.data()));
    return term;
  }

  std::optional<PatternTerm> list(int depth) {
    PatternTerm term;
    term.is_list = true;
    while (!scanner_.take(']')) {
      if (!term.items.empty() && !scanner_.take(',')) return std::nullopt;
      if (scanner_.take(']')) break;
      const auto item = sum(depth + 1);
      if (!item || item->is_list) return std::nullopt;
      term.items.push_back(item->number);
    }
    return term;
  }

  Scanner scanner_;
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
