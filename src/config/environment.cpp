#include "config/environment.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

#include "config/scalar.h"

namespace primus::config {

namespace {

struct Reference {
  std::size_t begin = 0, end = 0;  ///< characters [begin, end) of the text
  std::string name;
  std::optional<std::string> fallback;
};

/// The next `${name}` or `${name:default}` at or after `from`.
std::optional<Reference> find_reference(const std::string& text, std::size_t from) {
  for (auto begin = text.find("${", from); begin != std::string::npos; begin = text.find("${", begin + 1)) {
    const auto name_end = text.find_first_of(":{}", begin + 2);
    if (name_end == std::string::npos || name_end == begin + 2 || text[name_end] == '{') continue;
    Reference reference{begin, name_end + 1, text.substr(begin + 2, name_end - begin - 2), std::nullopt};
    if (text[name_end] == ':') {
      const auto close = text.find('}', name_end);
      if (close == std::string::npos) continue;
      reference.fallback = text.substr(name_end + 1, close - name_end - 1);
      reference.end = close + 1;
    }
    return reference;
  }
  return std::nullopt;
}

std::string substitute(const Value& value, const Environment& environment) {
  const std::string& text = *value.text();
  std::string out;
  std::size_t at = 0;
  while (const auto reference = find_reference(text, at)) {
    auto replacement = environment(reference->name);
    if (!replacement) replacement = reference->fallback;
    if (!replacement) {
      throw UserError(
          value.origin.where(),
          fmt::format("the environment variable '{0}' is required but not set: set it, or give a default as "
                      "in ${{{0}:value}}",
                      reference->name));
    }
    out.append(text, at, reference->begin - at);
    out += *replacement;
    at = reference->end;
  }
  return out.append(text, at, std::string::npos);
}

}  // namespace

void substitute_environment(Value& value, const Environment& environment) {
  if (auto* list = value.list()) {
    for (Value& item : *list) substitute_environment(item, environment);
  } else if (Map* map = value.map()) {
    for (auto& entry : *map) substitute_environment(entry.second, environment);
  } else if (const std::string* text = value.text(); text && text->find("${") != std::string::npos) {
    const std::string replaced = substitute(value, environment);
    if (replaced == *text) return;
    Value typed = resolve_substituted(replaced);
    value.content = std::move(typed.content);
    value.written = std::move(typed.written);
  }
}

std::string expand_variables(const std::string& text, const Environment& environment) {
  const auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
      continue;
    }
    const bool braces = at + 1 < text.size() && text[at + 1] == '{';
    const std::size_t begin = at + (braces ? 2 : 1);
    std::size_t end = begin;
    while (end < text.size() && (braces ? text[end] != '}' : is_name(text[end]))) ++end;
    const std::size_t after = braces ? end + 1 : end;
    const auto value =
        end > begin && after <= text.size() ? environment(text.substr(begin, end - begin)) : std::nullopt;
    if (value) {
      out += *value;
      at = after;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace primus::config
