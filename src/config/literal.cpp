#include "config/literal.h"

#include <cctype>

#include "config/scalar.h"

namespace primus::config {

namespace {

/// Recursive descent over the text. A method returns nothing as soon as the text is no literal.
class LiteralParser {
 public:
  explicit LiteralParser(std::string_view text) : text_(text) {}

  std::optional<Value> parse() {
    auto value = item(0);
    skip_blanks();
    return at_ == text_.size() ? value : std::nullopt;
  }

 private:
  static constexpr int deepest = 100;

  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::optional<Value> item(int depth) {
    skip_blanks();
    if (at_ >= text_.size() || depth > deepest) return std::nullopt;
    switch (text_[at_]) {
      case '[': return list('[', ']', depth);
      case '(': return list('(', ')', depth);
      case '{': return map_or_set(depth);
      case '\'':
      case '"': return quoted();
      default: return word();
    }
  }

  std::optional<Value> list(char open, char close, int depth) {
    take(open);
    Value::List items;
    bool comma = true;
    while (!take(close)) {
      if (!comma) return std::nullopt;
      auto next = item(depth + 1);
      if (!next) return std::nullopt;
      items.push_back(std::move(*next));
      comma = take(',');
      // Parentheses around one item without a comma only group it.
      if (open == '(' && !comma && items.size() == 1)
        return take(close) ? std::optional(items[0]) : std::nullopt;
    }
    return Value(std::move(items));
  }

  std::optional<Value> map_or_set(int depth) {
    take('{');
    Map map;
    Value::List set;
    bool comma = true;
    while (!take('}')) {
      if (!comma) return std::nullopt;
      auto first = item(depth + 1);
      if (!first) return std::nullopt;
      if (take(':')) {
        auto value = item(depth + 1);
        if (!value || !set.empty()) return std::nullopt;
        if (!first->is_text()) {
          throw_user_error("'{}': the key {} is a {}, and keys must be text", text_, first->as_written(),
                           first->kind());
        }
        map.set(*first->text(), std::move(*value));
      } else {
        if (!map.empty()) return std::nullopt;
        set.push_back(std::move(*first));
      }
      comma = take(',');
    }
    if (!set.empty()) return Value(std::move(set));
    return Value(std::move(map));
  }

  std::optional<Value> quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') {
        if (++at_ >= text_.size()) return std::nullopt;
        switch (text_[at_]) {
          case 'n': out += '\n'; break;
          case 't': out += '\t'; break;
          case '\\':
          case '\'':
          case '"': out += text_[at_]; break;
          default: out += '\\', out += text_[at_];
        }
        ++at_;
      } else {
        out += text_[at_++];
      }
    }
    if (at_ >= text_.size()) return std::nullopt;
    ++at_;
    return Value(std::move(out));
  }

  std::optional<Value> word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::string_view(",:]})( \t").find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
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

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<Value> parse_literal(std::string_view text) { return LiteralParser(text).parse(); }

}  // namespace primus::config
