#include "config/literal.h"

#include "config/scalar.h"
#include "config/scanner.h"

namespace primus::config {

namespace {

/// Recursive descent over the text. A method returns nothing as soon as the text is no literal.
class LiteralParser {
 public:
  explicit LiteralParser(std::string_view text) : scanner_(text) {}

  std::optional<Value> parse() {
    auto value = item(0);
    return scanner_.at_end() ? value : std::nullopt;
  }

 private:
  static constexpr int deepest = 100;

  std::optional<Value> item(int depth) {
    if (scanner_.at_end() || depth > deepest) return std::nullopt;
    switch (scanner_.rest()[0]) {
      case '[': return list('[', ']', depth);
      case '(': return list('(', ')', depth);
      case '{': return map_or_set(depth);
      case '\'':
      case '"': return quoted();
      default: return word();
    }
  }

  std::optional<Value> list(char open, char close, int depth) {
    scanner_.take(open);
    Value::List items;
    bool comma = true;
    while (!scanner_.take(close)) {
      if (!comma) return std::nullopt;
      auto next = item(depth + 1);
      if (!next) return std::nullopt;
      items.push_back(std::move(*next));
      comma = scanner_.take(',');
      // Parentheses around one item without a comma only group it.
      if (open == '(' && !comma && items.size() == 1)
        return scanner_.take(close) ? std::optional(items[0]) : std::nullopt;
    }
    return Value(std::move(items));
  }

  std::optional<Value> map_or_set(int depth) {
    scanner_.take('{');
    Map map;
    Value::List set;
    bool comma = true;
    while (!scanner_.take('}')) {
      if (!comma) return std::nullopt;
      auto first = item(depth + 1);
      if (!first) return std::nullopt;
      if (scanner_.take(':')) {
        auto value = item(depth + 1);
        if (!value || !set.empty()) return std::nullopt;
        if (!first->is_text()) {
          throw_user_error("'{}': the key {} is {}, and keys must be text", scanner_.whole_text(),
                           first->as_written(), first->a_kind());
        }
        map.set(*first->text(), std::move(*value));
      } else {
        if (!map.empty()) return std::nullopt;
        set.push_back(std::move(*first));
      }
      comma = scanner_.take(',');
    }
    if (!set.empty()) return Value(std::move(set));
    return Value(std::move(map));
  }

  std::optional<Value> quoted() {
    const std::string_view rest = scanner_.rest();
    std::string out;
    for (std::size_t at = 1; at < rest.size(); ++at) {
      if (rest[at] == rest[0]) {
        scanner_.skip(at + 1);
        return Value(std::move(out));
      }
      if (rest[at] == '\\' && ++at < rest.size()) {
        out += escaped(rest[at]);
      } else if (at < rest.size()) {
        out += rest[at];
      }
    }
    return std::nullopt;
  }

  /// What a backslash and `c` stand for; a backslash in front of anything else is kept.
  static std::string escaped(char c) {
    switch (c) {
      case 'n': return "\n";
      case 't': return "\t";
      case '\\':
      case '\'':
      case '"': return {c};
      default: return {'\\', c};
    }
  }

  std::optional<Value> word() {
    const std::string_view rest = scanner_.rest();
    const std::string_view word = rest.substr(0, rest.find_first_of(",:]})( \t"));
    scanner_.skip(word.size());
    if (word == "None") return Value();
    if (word == "True") return Value(true);
    if (word == "False") return Value(false);
    std::string digits(word);
    std::erase(digits, '_');
    if (auto integer = parse_integer(digits)) return integer;
    if (digits.starts_with("0x") || digits.starts_with("0b")) {
      const Value value = resolve_scalar(digits);
      return value.integer() ? std::optional(value) : std::nullopt;
    }
    if (const auto number = parse_double(digits)) return Value(*number);
    return std::nullopt;
  }

  Scanner scanner_;
};

}  // namespace

std::optional<Value> parse_literal(std::string_view text) { return LiteralParser(text).parse(); }

}  // namespace primus::config
