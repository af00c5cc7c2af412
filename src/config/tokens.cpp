#include "config/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "config/literal.h"
#include "config/scalar.h"

namespace primus::config {

namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view without_dashes(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of('-'), text.size()));
}

/// Python lets single underscores stand between digits.
std::optional<std::string> without_underscores_between_digits(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() &&
                         std::isdigit(static_cast<unsigned char>(text[i - 1])) &&
                         std::isdigit(static_cast<unsigned char>(text[i + 1]));
    if (!between) return std::nullopt;
  }
  return out;
}

Value typed(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "true") return Value(true);
  if (lower == "false") return Value(false);
  if (text == "None" || (!text.empty() && std::string_view("[({").find(text[0]) != std::string_view::npos)) {
    if (auto literal = parse_literal(text)) return *literal;
  }
  if (const auto digits = without_underscores_between_digits(text)) {
    if (text.find('.') != std::string_view::npos) {
      if (const auto number = parse_double(*digits)) return Value(*number);
    } else if (auto integer = parse_integer(*digits)) {
      return *integer;
    }
  }
  return Value(std::string(text));
}

void set_origin(Value& value, const Origin& origin) {
  value.origin = origin;
  if (auto* list = value.list()) {
    for (Value& item : *list) set_origin(item, origin);
  } else if (Map* map = value.map()) {
    for (auto& entry : *map) set_origin(entry.second, origin);
  }
}

/// The key as the module has it, where the whole path from the top of the file is given.
std::string_view key_in_module(std::string_view key, std::string_view module) {
  constexpr std::string_view modules = "modules.", overrides = "overrides.";
  if (!key.starts_with(modules)) return key;
  const std::string_view path = key.substr(modules.size());
  if (!path.starts_with(module) || !path.substr(module.size()).starts_with('.')) {
    throw_user_error("command line: '{}' is not a key of the module being run, 'modules.{}'", key, module);
  }
  const std::string_view rest = path.substr(module.size() + 1);
  return rest.substr(rest.starts_with(overrides) ? overrides.size() : 0);
}

void store(Value& root, std::string_view key, Value value) {
  Value* at = &root;
  std::string_view rest = key;
  for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    const std::string_view part = rest.substr(0, dot);
    if (!at->map()->contains(part)) at->map()->set(part, Value{Value::Content(Map()), value.origin});
    at = at->map()->find(part);
    if (!at->is_map()) {
      throw_user_error(
          "command line: '{}' sets a key inside '{}', which an earlier token set to {}: remove one of the "
          "two",
          key, part, at->as_written());
    }
    rest.remove_prefix(dot + 1);
  }
  at->map()->set(rest, std::move(value));
}

}  // namespace

Value resolve_token(std::string_view text) {
  Value value = typed(text);
  if (!value.is_text()) value.written = text;
  set_origin(value, {Layer::command_line, nullptr, 0});
  return value;
}

Overrides parse_tokens(const std::vector<std::string>& tokens, std::string_view module) {
  Overrides overrides;
  overrides.values = Value{Value::Content(Map()), {Layer::command_line, nullptr, 0}};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = trim(tokens[i]);
    if (token.empty()) continue;
    const auto equals = token.find('=');
    if (equals != std::string_view::npos) {
      const std::string_view key = trim(without_dashes(token.substr(0, equals)));
      store(overrides.values, key_in_module(key, module), resolve_token(trim(token.substr(equals + 1))));
    } else if (token.starts_with("--")) {
      const bool has_value = i + 1 < tokens.size() && !trim(tokens[i + 1]).starts_with("--");
      store(overrides.values, key_in_module(without_dashes(token), module),
            has_value ? resolve_token(trim(tokens[++i])) : resolve_token("true"));
    } else {
      overrides.warnings.push_back(fmt::format(
          "command line: '{}' is not of the form key=value or --key value and is ignored", token));
    }
  }
  return overrides;
}

}  // namespace primus::config
