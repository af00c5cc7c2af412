#include "data/json_line.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.h"
#include "core/utf8.h"

namespace primus::data {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A place in the line, and the steps over what may stand there.
class JsonReader {
 public:
  explicit JsonReader(std::string_view line, std::size_t at = 0) : line_(line), at_(at) {}

  std::size_t at() const { return at_; }

  /// Steps over `c`, and white space in front of it, if it comes next.
  bool take(char c) {
    if (next() != c) return false;
    ++at_;
    return true;
  }

  void expect(char c, std::string_view what) {
    if (!take(c)) refuse(what);
  }

  /// The next character that is not white space; 0 at the end.
  char next() {
    while (at_ < line_.size() && std::string_view(" \t\r\n").find(line_[at_]) != std::string_view::npos)
      ++at_;
    return at_ < line_.size() ? line_[at_] : '\0';
  }

  /// Steps over a string and returns what stands between its quotes, escapes as they are.
  std::string_view quoted(std::string_view what) {
    expect('"', what);
    const std::size_t begin = at_;
    for (; at_ < line_.size(); ++at_) {
      if (line_[at_] == '"') return line_.substr(begin, at_++ - begin);
      if (static_cast<unsigned char>(line_[at_]) < 0x20) refuse("no control characters inside of a string");
      if (line_[at_] == '\\') skip_escape();
    }
    refuse("the end of the string");
  }

  /// Steps over a value of any kind. Not recursive, since a line may nest as deeply as it likes.
  void skip_value() {
    std::string open;
    do {
      if (take('{')) {
        open += '}';
        if (next() != '}') {
          skip_key();
          continue;
        }
      } else if (take('[')) {
        open += ']';
        if (next() != ']') continue;
      } else {
        skip_scalar();
      }
      while (!open.empty() && !take(',')) {
        expect(open.back(), open.back() == '}' ? "',' or '}'" : "',' or ']'");
        open.pop_back();
      }
      if (!open.empty() && open.back() == '}') skip_key();
    } while (!open.empty());
  }

  [[noreturn]] void refuse(std::string_view expected) {
    if (at_ >= line_.size())
      throw_user_error("broken JSON: the line ends where {} should come; each line must hold a whole object",
                       expected);
    throw_user_error("broken JSON at byte {}: expected {}, found {}", at_ + 1, expected, found());
  }

 private:
  void skip_key() {
    quoted("a key in double quotes");
    expect(':', "':'");
  }

  void skip_escape() {
    constexpr std::string_view hex = "0123456789abcdefABCDEF";
    ++at_;
    if (at_ < line_.size() && line_[at_] == 'u') {
      for (int i = 0; i < 4; ++i) {
        ++at_;
        if (at_ >= line_.size() || hex.find(line_[at_]) == std::string_view::npos)
          refuse("four hexadecimal digits after \\u");
      }
    } else if (at_ >= line_.size() ||
               std::string_view("\"\\/bfnrt").find(line_[at_]) == std::string_view::npos) {
      refuse("one of \" \\ / b f n r t u after a backslash");
    }
  }

  void skip_scalar() {
    const char c = next();
    if (c == '"') {
      quoted("a string");
      return;
    }
    for (const std::string_view word : {"true", "false", "null", "NaN", "Infinity", "-Infinity"}) {
      if (line_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return;
      }
    }
    if (c == '-') ++at_;
    if (at_ < line_.size() && line_[at_] == '0') {
      ++at_;
    } else {
      skip_digits("a value");
    }
    if (at_ < line_.size() && line_[at_] == '.') {
      ++at_;
      skip_digits("a digit after the point");
    }
    if (at_ < line_.size() && (line_[at_] == 'e' || line_[at_] == 'E')) {
      ++at_;
      if (at_ < line_.size() && (line_[at_] == '-' || line_[at_] == '+')) ++at_;
      skip_digits("a digit of the exponent");
    }
  }

  void skip_digits(std::string_view what) {
    if (at_ >= line_.size() || !is_digit(line_[at_])) refuse(what);
    while (at_ < line_.size() && is_digit(line_[at_])) ++at_;
  }

  std::string found() const {
    const CodePoint character = decode_utf8(line_, at_);
    if (character.value == byte_order_mark)
      return "a byte-order mark (perhaps files that begin with one were concatenated)";
    if (character.value < 0x20) return fmt::format("the control character 0x{:02x}", line_[at_]);
    return fmt::format("'{}'", line_.substr(at_, character.size));
  }

  std::string_view line_;
  std::size_t at_;
};

char32_t code_unit(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

bool is_high_surrogate(char32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(char32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

/// What an escaped string stands for; nothing when it holds half of a surrogate pair, which no text can.
std::optional<std::string> unescaped(std::string_view escaped) {
  std::string text;
  for (std::size_t at = 0; at < escaped.size();) {
    const std::size_t backslash = std::min(escaped.find('\\', at), escaped.size());
    text.append(escaped, at, backslash - at);
    if (backslash == escaped.size()) break;
    const char kind = escaped[backslash + 1];
    at = backslash + 2;
    if (kind != 'u') {
      constexpr std::string_view letters = "bfnrt", meanings = "\b\f\n\r\t";
      const std::size_t letter = letters.find(kind);
      text += letter == std::string_view::npos ? kind : meanings[letter];
      continue;
    }
    char32_t unit = code_unit(escaped.substr(at, 4));
    at += 4;
    if (is_high_surrogate(unit) && escaped.substr(at).starts_with("\\u")) {
      const char32_t low = code_unit(escaped.substr(at + 2, 4));
      if (!is_low_surrogate(low)) return std::nullopt;
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
      at += 6;
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) return std::nullopt;
    append_utf8(text, unit);
  }
  return text;
}

std::string_view kind_of(char first) {
  switch (first) {
    case '{': return "an object";
    case '[': return "a list";
    case '"': return "a string";
    case 't': return "true";
    case 'f': return "false";
    case 'n': return "null";
    default: return "a number";
  }
}

std::string text_under(const std::string& key, JsonReader& reader) {
  if (reader.next() != '"')
    throw_user_error("\"{}\" must be a string or a list of strings; it holds {}", key,
                     kind_of(reader.next()));
  const std::string_view escaped = reader.quoted("a string");
  auto text = unescaped(escaped);
  if (!text) throw_user_error("\"{}\" holds half of a surrogate pair (a \\u escape from d800 to dfff)", key);
  return *std::move(text);
}

std::vector<std::string> texts_under(const std::string& key, JsonReader reader) {
  if (!reader.take('[')) return {text_under(key, reader)};
  std::vector<std::string> texts;
  while (!reader.take(']')) {
    texts.push_back(text_under(key, reader));
    reader.take(',');
  }
  return texts;
}

/// Where the value of each key begins; the last where a key comes twice. Checks the whole line.
std::vector<std::optional<std::size_t>> find_values(std::string_view line,
                                                    const std::vector<std::string>& keys) {
  std::vector<std::optional<std::size_t>> values(keys.size());
  JsonReader reader(line);
  reader.expect('{', "an object, '{...}'");
  if (!reader.take('}')) {
    do {
      const auto key = unescaped(reader.quoted("a key in double quotes"));
      reader.expect(':', "':'");
      reader.next();
      const std::size_t begin = reader.at();
      reader.skip_value();
      for (std::size_t k = 0; k < keys.size(); ++k) {
        if (key == keys[k]) values[k] = begin;
      }
    } while (reader.take(','));
    reader.expect('}', "',' or '}'");
  }
  reader.next();
  if (reader.at() < line.size()) reader.refuse("nothing after the object");
  return values;
}

}  // namespace

std::vector<std::vector<std::string>> json_texts(std::string_view line,
                                                 const std::vector<std::string>& keys) {
  require_utf8(line);
  const auto values = find_values(line, keys);
  std::vector<std::vector<std::string>> texts;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    if (!values[k]) throw_user_error("the object has no key \"{}\"", keys[k]);
    texts.push_back(texts_under(keys[k], JsonReader(line, *values[k])));
  }
  return texts;
}

}  // namespace primus::data
