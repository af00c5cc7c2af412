#include "config/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace primus::config {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string_view without_sign(std::string_view text, bool* negative = nullptr) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    if (negative) *negative = text[0] == '-';
    text.remove_prefix(1);
  }
  return text;
}

std::string without_underscores(std::string_view text) {
  std::string digits(text);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  return digits;
}

/// Decimal digits of any length. Beyond 64 bits the digits are kept as they are.
Value decimal(std::string_view digits, bool negative) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  const std::string text = (negative ? "-" : "") + std::string(digits);
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (error == std::errc()) return Value(integer);
  return Value(OtherScalar{OtherScalar::Kind::big_integer, text});
}

std::optional<Value> in_base(std::string_view digits, int base, bool negative) {
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), integer, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return Value(negative ? -integer : integer);
}

/// `h:mm:ss`, each later group from 0 to 59; the last may have a fraction, which makes the result a float.
std::optional<Value> base_60(std::string_view text, bool negative) {
  double total = 0;
  bool fraction = false;
  for (int group = 0;; ++group) {
    const auto colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    const auto dot = last ? part.find('.') : std::string_view::npos;
    const std::string_view whole = part.substr(0, dot);
    if (!all_digits(whole) || (group > 0 && whole.size() > 2) || (group == 0 && last)) return std::nullopt;
    if (dot != std::string_view::npos && dot + 1 < part.size() && !all_digits(part.substr(dot + 1))) {
      return std::nullopt;
    }
    const double number = *parse_double(part);
    if (group > 0 && number >= 60) return std::nullopt;
    if (group == 0 && dot == std::string_view::npos && whole.size() > 1 && whole[0] == '0')
      return std::nullopt;
    fraction = dot != std::string_view::npos;
    total = total * 60 + number;
    if (last) break;
    text.remove_prefix(colon + 1);
  }
  if (negative) total = -total;
  if (fraction) return Value(total);
  return Value(static_cast<std::int64_t>(total));
}

std::optional<Value> yaml_integer(std::string_view text) {
  bool negative = false;
  const std::string_view body = without_sign(text, &negative);
  if (body.empty() || !is_digit(body[0])) return std::nullopt;
  if (body.find(':') != std::string_view::npos) return base_60(without_underscores(body), negative);
  const std::string digits = without_underscores(body);
  if (digits == "0") return Value(std::int64_t{0});
  if (digits.starts_with("0b")) return in_base(std::string_view(digits).substr(2), 2, negative);
  if (digits.starts_with("0x")) return in_base(std::string_view(digits).substr(2), 16, negative);
  if (digits[0] == '0') return in_base(digits, 8, negative);
  if (!all_digits(digits)) return std::nullopt;
  return decimal(digits, negative);
}

/// A dot is required; an exponent needs its sign.
std::optional<Value> yaml_float(std::string_view text) {
  bool negative = false;
  const std::string_view body = without_sign(text, &negative);
  if (one_of(body, {".inf", ".Inf", ".INF"})) {
    const double infinity = std::numeric_limits<double>::infinity();
    return Value(negative ? -infinity : infinity);
  }
  if (one_of(text, {".nan", ".NaN", ".NAN"})) return Value(std::numeric_limits<double>::quiet_NaN());
  const auto dot = body.find('.');
  if (dot == std::string_view::npos || body.empty() || !(is_digit(body[0]) || body[0] == '.'))
    return std::nullopt;
  const auto exponent = body.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    if (exponent < dot || exponent + 2 >= body.size()) return std::nullopt;
    if (body[exponent + 1] != '+' && body[exponent + 1] != '-') return std::nullopt;
  }
  if (dot == 0 && (body.size() == 1 || !is_digit(body[1]))) return std::nullopt;
  if (const auto number = parse_double(without_underscores(text))) return Value(*number);
  return std::nullopt;
}

bool is_date(std::string_view text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && all_digits(text.substr(0, 4)) &&
         all_digits(text.substr(5, 2)) && all_digits(text.substr(8, 2));
}

/// `2001-12-14t21:59:43.10-05:00` in its YAML spellings, turned into ISO 8601 with microseconds.
std::optional<Value> yaml_date_time(std::string_view text) {
  if (text.size() < 19 || !is_date(text.substr(0, 10))) return std::nullopt;
  std::string_view rest = text.substr(10);
  if (rest[0] != 't' && rest[0] != 'T' && rest[0] != ' ') return std::nullopt;
  rest.remove_prefix(1);
  if (rest.size() < 8 || rest[2] != ':' || rest[5] != ':') return std::nullopt;
  for (const std::size_t at : {0, 3, 6}) {
    if (!all_digits(rest.substr(at, 2))) return std::nullopt;
  }
  std::string iso = fmt::format("{}T{}", text.substr(0, 10), rest.substr(0, 8));
  rest.remove_prefix(8);
  if (rest.starts_with(".")) {
    const auto digits_end = rest.find_first_not_of("0123456789", 1);
    std::string fraction(rest.substr(1, digits_end == std::string_view::npos ? digits_end : digits_end - 1));
    fraction.resize(6, '0');
    iso += "." + fraction;
    rest = digits_end == std::string_view::npos ? std::string_view() : rest.substr(digits_end);
  }
  while (rest.starts_with(" ")) rest.remove_prefix(1);
  if (rest == "Z") rest = "+00:00";
  if (!rest.empty() && !(rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':'))
    return std::nullopt;
  return Value(OtherScalar{OtherScalar::Kind::date_time, iso + std::string(rest)});
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Value typed_scalar(std::string_view text) {
  if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"})) return Value();
  if (one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return Value(true);
  if (one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return Value(false);
  const char first = text[0];
  if (is_digit(first) || first == '-' || first == '+' || first == '.') {
    if (auto integer = yaml_integer(text)) return *integer;
    if (auto number = yaml_float(text)) return *number;
    if (is_date(text)) return Value(OtherScalar{OtherScalar::Kind::date, std::string(text)});
    if (auto date_time = yaml_date_time(text)) return *date_time;
  }
  return Value(std::string(text));
}

}  // namespace

std::optional<double> parse_double(std::string_view text) {
  const std::string_view body = without_sign(text);
  if (body.empty() || !(is_digit(body[0]) || body[0] == '.')) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::optional<Value> parse_integer(std::string_view text) {
  bool negative = false;
  const std::string_view digits = without_sign(text, &negative);
  if (!all_digits(digits)) return std::nullopt;
  return decimal(digits, negative);
}

Value resolve_scalar(std::string_view text) {
  Value value = typed_scalar(text);
  if (!value.is_text()) value.written = text;
  return value;
}

Value resolve_substituted(std::string_view text) {
  Value value{Value::Content(std::string(text))};
  const std::string word = lower(text);
  if (word == "true" || word == "false") {
    value = Value(word == "true");
  } else if (!text.starts_with('+')) {
    if (auto integer = parse_integer(text)) {
      value = *integer;
    } else if (auto number = parse_double(text)) {
      value = Value(*number);
    }
  }
  if (!value.is_text()) value.written = text;
  return value;
}

}  // namespace primus::config
