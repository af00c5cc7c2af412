#include <fmt/format.h>

#include <cctype>
#include <cmath>

#include "config/arguments.h"
#include "config/blend.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/yaml.h"

namespace primus::config {

namespace {

using Outcome = std::variant<TypedValue, std::string>;

std::string shown(const Value& value) {
  if (value.is_null()) return "null";
  if (value.is_text()) return fmt::format("the text '{}'", *value.text());
  return fmt::format("the {} {}", value.kind(), value.as_written());
}

std::string must_be(std::string_view wanted, const Value& value) {
  return fmt::format("must be {}, not {}", wanted, shown(value));
}

std::optional<bool> as_boolean(const Value& value) {
  if (const bool* boolean = value.boolean()) return *boolean;
  if (const auto* integer = value.integer(); integer && (*integer == 0 || *integer == 1))
    return *integer == 1;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const double* number = value.number()) return *number;
  if (const auto* integer = value.integer()) return static_cast<double>(*integer);
  if (const std::string* text = value.text()) return parse_double(*text);
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* integer = value.integer()) return *integer;
  if (value.text()) {
    const auto integer = parse_integer(*value.text());
    if (integer && integer->integer()) return *integer->integer();
  }
  const auto number = as_number(value);
  if (!number || std::trunc(*number) != *number || std::abs(*number) >= 9e18) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

/// Whether an integer is of a size that can be counted with.
bool in_range(std::int64_t integer) { return integer >= -largest_integer && integer <= largest_integer; }

/// A name such as an experiment's may look like a number; its characters are kept.
std::optional<std::string> as_text(const Value& value) {
  if (value.is_text()) return *value.text();
  if (value.integer() || value.number()) return value.as_written();
  if (std::holds_alternative<OtherScalar>(value.content)) return value.as_written();
  return std::nullopt;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

/// One item of a list, or a value that is no list, in type T.
template <typename T>
std::optional<T> item_as(const Value& value) {
  if constexpr (std::is_same_v<T, std::int64_t>) return as_integer(value);
  if constexpr (std::is_same_v<T, double>) return as_number(value);
  if constexpr (std::is_same_v<T, std::string>) return as_text(value);
}

/// Why a number is not allowed, to be followed by the number; nothing for one that is.
template <typename T>
std::optional<std::string> not_allowed(const Argument& argument, const T& item) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!in_range(item)) return fmt::format("must not exceed {} in size", largest_integer);
  }
  if constexpr (std::is_same_v<T, double>) {
    if (!std::isfinite(item)) return "must be a finite number";
  }
  if constexpr (!std::is_same_v<T, std::string>) {
    const Range& range = argument.details.range;
    if (!range.contains(static_cast<double>(item))) return "must be " + to_string(range);
  }
  return std::nullopt;
}

template <typename T>
Outcome scalar_of(const Argument& argument, std::string_view wanted, const Value& value) {
  const auto item = item_as<T>(value);
  if (!item) return must_be(wanted, value);
  if (const auto reason = not_allowed(argument, *item))
    return fmt::format("{}; it is {}", *reason, value.as_written());
  return TypedValue(*item);
}

/// Whether a text stands for a list or a map, as in `data_path=[0.5, /a, 0.5, /b]` on the command line.
bool is_collection_in_text(const Value& value) {
  return value.is_text() && (value.text()->starts_with('[') || value.text()->starts_with('{'));
}

/// The items of a list in YAML's brackets; none when the text is broken, or a map.
std::optional<Value::List> list_in_text(const std::string& text) {
  try {
    const Value value = parse_yaml(text, "");
    if (value.list()) return *value.list();
  } catch (const UserError&) {
  }
  return std::nullopt;
}

/// The items of a list. A single value is a list of one; numbers may also stand in one text, as in "0,3,4".
template <typename T>
Value::List items_of(const Value& value) {
  if (value.list()) return *value.list();
  Value::List items;
  if (!std::is_same_v<T, std::string> && value.is_text()) {
    for (const std::string& part : split(*value.text(), ',')) items.push_back(resolve_scalar(part));
  } else {
    items.push_back(value);
  }
  return items;
}

template <typename T>
Outcome list_of(const Argument& argument, std::string_view wanted, const Value& value) {
  std::vector<T> items;
  if (value.is_null()) return TypedValue(items);
  if (is_collection_in_text(value)) {
    const auto list = list_in_text(*value.text());
    return list ? list_of<T>(argument, wanted, Value(*list)) : must_be(wanted, value);
  }
  if (value.is_map()) return must_be(wanted, value);
  for (const Value& item : items_of<T>(value)) {
    const auto converted = item_as<T>(item);
    if (!converted) return must_be(wanted, value);
    if (const auto reason = not_allowed(argument, *converted))
      return fmt::format("{}; it holds {}", *reason, item.as_written());
    items.push_back(*converted);
  }
  return TypedValue(std::move(items));
}

Outcome words_of(const Argument& argument, const Value& value) {
  if (!value.is_text() || is_collection_in_text(value))
    return list_of<std::string>(argument, "a string or a list of strings", value);
  return TypedValue(split_at_blanks(*value.text()));
}

Outcome layer_pattern_of(const Value& value) {
  const std::string text = value.is_text() ? *value.text() : value.as_written();
  if (value.is_text() || value.integer() || value.is_list()) {
    if (auto pattern = parse_layer_pattern(text)) return TypedValue(std::move(*pattern));
  }
  return must_be("a positive integer, a list of 0 and 1, or an expression such as ([0]*3+[1]*58)", value);
}

Outcome converted(const Argument& argument, const Value& value) {
  switch (argument.type) {
    case Type::boolean: {
      if (value.is_null() && argument.details.null) return TypedValue(false);
      const auto boolean = as_boolean(value);
      return boolean ? Outcome(TypedValue(*boolean)) : Outcome(must_be("true or false", value));
    }
    case Type::integer: return scalar_of<std::int64_t>(argument, "an integer", value);
    case Type::number: return scalar_of<double>(argument, "a number", value);
    case Type::text: return scalar_of<std::string>(argument, "text", value);
    case Type::integers: return list_of<std::int64_t>(argument, "a list of integers", value);
    case Type::numbers: return list_of<double>(argument, "a list of numbers", value);
    case Type::texts: return list_of<std::string>(argument, "a list of strings", value);
    case Type::words: return words_of(argument, value);
    case Type::layer_pattern: return layer_pattern_of(value);
    case Type::map:
      if (value.is_null()) return TypedValue(Map());
      return value.is_map() ? Outcome(TypedValue(*value.map())) : Outcome(must_be("a map", value));
  }
  return std::string("has no type");
}

/// A value that is one of some choices, or each item of a list, as the table writes it.
std::vector<std::string> choices_in(const TypedValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {*text};
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) return *texts;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return {std::to_string(*integer)};
  if (const auto* boolean = std::get_if<bool>(&value)) return {*boolean ? "true" : "false"};
  if (std::holds_alternative<std::monostate>(value)) return {"null"};
  return {};
}

/// The first text of a value that is none of the choices, or nothing.
std::optional<std::string> first_outside(const std::vector<std::string>& choices, const TypedValue& value) {
  for (const std::string& text : choices_in(value)) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) return text;
  }
  return std::nullopt;
}

/// The reason why a text is none of the choices, or nothing.
std::optional<std::string> not_a_choice(const Argument& argument, const TypedValue& value) {
  if (argument.details.choices.empty()) return std::nullopt;
  const std::vector<std::string> choices = split(argument.details.choices, '|');
  const auto text = first_outside(choices, value);
  if (!text) return std::nullopt;
  return fmt::format("must be one of {}; it is '{}'{}", join(choices), *text, did_you_mean(*text, choices));
}

bool says_null(const Value& value) { return value.is_null() || (value.is_text() && *value.text() == "null"); }

Value from_yaml_text(std::string_view text) {
  if (text.starts_with('[') || text.starts_with('{') || text.starts_with('\'')) {
    Value value = parse_yaml(text, "", Layer::table);
    value.origin.file.reset();
    return value;
  }
  Value value = resolve_scalar(text);
  return value;
}

}  // namespace

std::variant<TypedValue, std::string> convert(const Argument& argument, const Value& value) {
  if (argument.optional() && says_null(value)) return TypedValue(std::monostate());
  Outcome outcome = converted(argument, says_null(value) ? Value() : value);
  if (const auto* typed = std::get_if<TypedValue>(&outcome)) {
    if (auto reason = not_a_choice(argument, *typed)) return *reason;
  }
  return outcome;
}

bool is_among(std::string_view choices, const TypedValue& value) {
  return !first_outside(split(choices, '|'), value);
}

Value default_value(const Argument& argument) { return from_yaml_text(argument.default_value); }

Value preset_value(const Argument& argument) {
  return from_yaml_text(argument.details.preset.empty() ? argument.default_value : argument.details.preset);
}

}  // namespace primus::config
