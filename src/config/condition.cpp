#include "config/condition.h"

#include <fmt/format.h>

#include <algorithm>

namespace primus::config {

namespace {

Term parse_term(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    const bool negated = text.starts_with('!');
    return {.name = text.substr(negated ? 1 : 0), .negated = negated};
  }
  const bool negated = text[equals - 1] == '!';
  return {.name = text.substr(0, equals - (negated ? 1 : 0)),
          .values = text.substr(equals + 1),
          .negated = negated};
}

std::string described(const Term& term) {
  if (term.values.empty()) return fmt::format("'{}{}'", term.name, term.negated ? ": false" : "");
  return fmt::format("'{}' {}{}", term.name, term.negated ? "other than " : "", alternatives(term.values));
}

}  // namespace

std::string alternatives(std::string_view values) {
  std::string out;
  for (const char c : values) out += c == '|' ? std::string(" or ") : std::string(1, c);
  return out;
}

Condition Condition::parse(std::string_view text) {
  Condition condition;
  condition.any = text.find(" or ") != std::string_view::npos;
  const std::string_view joint = condition.any ? " or " : " and ";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(joint), text.size());
    condition.terms.push_back(parse_term(text.substr(0, end)));
    text.remove_prefix(std::min(end + joint.size(), text.size()));
  }
  return condition;
}

bool Condition::names(std::string_view name) const {
  return std::any_of(terms.begin(), terms.end(), [&](const Term& term) { return term.name == name; });
}

std::string to_string(const Condition& condition) {
  std::string out;
  for (const Term& term : condition.terms)
    out += (out.empty() ? "" : condition.any ? " or " : " and ") + described(term);
  return out;
}

}  // namespace primus::config
