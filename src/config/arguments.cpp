#include "config/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/condition.h"
#include "config/suggest.h"
#include "config/yaml.h"

namespace primus::config {

namespace {

/// Parameters that are no arguments: their text may be anything.
std::string unknown_key_message(const std::string& key) {
  std::string known_as = did_you_mean(key, argument_names());
  return fmt::format("unknown key '{}'{}", key, known_as);
}

bool same_after_conversion(const Argument& argument, const Value& a, const Value& b) {
  const auto first = convert(argument, a), second = convert(argument, b);
  const auto* x = std::get_if<TypedValue>(&first);
  const auto* y = std::get_if<TypedValue>(&second);
  if (x == nullptr || y == nullptr || x->index() != y->index()) return false;
  if (std::holds_alternative<Map>(*x)) return same_content(a, b);
  return std::visit(
      [&](const auto& content) {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, Map>) {
          return true;
        } else {
          return content == std::get<T>(*y);
        }
      },
      *x);
}

/// Whether a value is the default: Megatron's or the base presets'. 0 of what there is none of by default is
/// none.
bool is_default(const Argument& argument, const Value& value) {
  const bool counted = argument.type == Type::integer && argument.default_value == "null";
  if (counted && value.integer() && *value.integer() == 0) return true;
  return same_after_conversion(argument, value, default_value(argument)) ||
         same_after_conversion(argument, value, preset_value(argument));
}

/// Whether an argument is on: neither null, false, 0 nor empty.
bool is_on(const TypedValue& value) {
  return std::visit(
      [](const auto& content) {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, std::monostate>) return false;
        if constexpr (std::is_arithmetic_v<T>) return content != 0;
        if constexpr (requires { content.empty(); }) return !content.empty();
        return true;
      },
      value);
}

/// The value in the type of its row where the file has another; as it is when it cannot be converted.
Value in_type_of_row(const Argument& argument, Value value) {
  const auto converted = convert(argument, value);
  const auto* typed = std::get_if<TypedValue>(&converted);
  if (typed == nullptr) return value;
  if (argument.optional() && std::holds_alternative<std::monostate>(*typed)) value.content = std::monostate();
  if (const auto* boolean = std::get_if<bool>(typed); boolean && !value.is_null()) value.content = *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(typed)) value.content = *integer;
  if (const auto* text = std::get_if<std::string>(typed)) value.content = *text;
  // An integer where a number is wanted stays as it was written.
  if (const auto* number = std::get_if<double>(typed); number && !value.integer()) value.content = *number;
  return value;
}

}  // namespace

const std::vector<std::string>& argument_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Section& section : sections) {
      for (const Argument& argument : section.arguments) all.emplace_back(argument.name);
    }
    return all;
  }();
  return names;
}

Arguments::Arguments() {
  // The table's defaults are read once: they are the same for every run.
  struct Defaults {
    std::vector<Value> values;
    std::vector<TypedValue> typed;
  };
  static const Defaults defaults = [] {
    Defaults all{std::vector<Value>(argument_count), std::vector<TypedValue>(argument_count)};
    for (std::size_t index = 0; index < argument_count; ++index) {
      all.values[index] = default_value(argument_at(index));
      auto converted = convert(argument_at(index), all.values[index]);
      if (auto* typed = std::get_if<TypedValue>(&converted)) all.typed[index] = std::move(*typed);
    }
    return all;
  }();
  values_ = defaults.values;
  typed_ = defaults.typed;
}

Arguments Arguments::from(const Value& parameters, std::vector<Problem>& problems) {
  Arguments arguments;
  std::vector<std::pair<std::size_t, Problem>> wrong;
  for (const auto& [key, value] : *parameters.map()) {
    const std::size_t index = find_argument(key);
    if (index == argument_count) {
      problems.push_back({Problem::Kind::unknown_key, value.origin.where(), unknown_key_message(key)});
    } else if (auto problem = arguments.store(index, value)) {
      wrong.emplace_back(index, std::move(*problem));
    }
  }
  // Which arguments count is known once all have their values. One that does not need only be of its type.
  for (auto& [index, problem] : wrong) {
    Argument row = argument_at(index);
    if (!arguments.counts(index)) row.details = {.null = true};
    if (std::holds_alternative<std::string>(convert(row, arguments.values_[index])))
      problems.push_back(std::move(problem));
  }
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    const Value* given = parameters.map()->find(argument.name);
    if (!argument.required() || (given && !given->is_null())) continue;
    problems.push_back({Problem::Kind::missing, given ? given->origin.where() : parameters.origin.where(),
                        fmt::format("'{}' is required: give it a value", argument.name)});
  }
  return arguments;
}

Arguments Arguments::from_yaml(std::string_view text) {
  std::vector<Problem> problems;
  Value parameters = parse_yaml(text, "arguments");
  if (parameters.is_null()) parameters = Value(Value::Content(Map()));
  Arguments arguments = from(parameters, problems);
  throw_if_any(problems);
  return arguments;
}

/// Keeps a value. Returns what is wrong with it.
std::optional<Problem> Arguments::store(std::size_t index, const Value& value) {
  const Argument& argument = argument_at(index);
  values_[index] = value;
  if (argument.required() && value.is_null()) return std::nullopt;  // reported as missing
  auto converted = convert(argument, value);
  if (auto* typed = std::get_if<TypedValue>(&converted)) {
    typed_[index] = std::move(*typed);
    return std::nullopt;
  }
  const auto& reason = std::get<std::string>(converted);
  const bool choice = reason.starts_with("must be one of");
  return Problem{choice ? Problem::Kind::bad_choice : Problem::Kind::wrong_type, value.origin.where(),
                 fmt::format("'{}' {}", argument.name, reason)};
}

const Value& Arguments::value(std::string_view name) const {
  const std::size_t index = find_argument(name);
  if (index == argument_count) {
    throw_user_error("there is no argument '{}'{}", name, did_you_mean(name, argument_names()));
  }
  return values_[index];
}

Value Arguments::resolved_at(std::size_t index) const {
  return in_type_of_row(argument_at(index), values_[index]);
}

Value Arguments::set_at(std::size_t index) const {
  return in_type_of_row(argument_at(index), values_[index].as_set());
}

void Arguments::set(std::string_view name, Value value) {
  (void)this->value(name);
  if (const auto problem = store(find_argument(name), value)) throw_if_any({*problem});
}

/// Whether a condition holds, or is about the argument itself, which is then its switch.
bool Arguments::holds(std::string_view condition, std::string_view name) const {
  const Condition parsed = Condition::parse(condition);
  if (parsed.terms.empty() || parsed.names(name)) return true;
  const auto term_holds = [&](const Term& term) {
    const TypedValue& value = typed_[find_argument(term.name)];
    return (term.values.empty() ? is_on(value) : is_among(term.values, value)) != term.negated;
  };
  return parsed.any ? std::any_of(parsed.terms.begin(), parsed.terms.end(), term_holds)
                    : std::all_of(parsed.terms.begin(), parsed.terms.end(), term_holds);
}

bool Arguments::counts(std::size_t index) const {
  const Argument& argument = argument_at(index);
  return holds(section_at(index).when, argument.name) && holds(argument.details.when, argument.name);
}

bool Arguments::is_refused(std::size_t index) const {
  const Argument& argument = argument_at(index);
  const Value& value = values_[index];
  if (value.origin.layer == Layer::derived || !counts(index)) return false;
  const Support& support = argument.support;
  if (!support.values.empty()) return !is_among(support.values, typed_[index]);
  return support.status == Status::unsupported && !is_default(argument, value);
}

std::vector<Problem> Arguments::unsupported() const {
  std::vector<Problem> problems;
  for (std::size_t index = 0; index < argument_count; ++index) {
    if (!is_refused(index) || belongs_to_refused(index)) continue;
    const Argument& argument = argument_at(index);
    const Support& support = argument.support;
    const std::string advice = support.values.empty()
                                   ? fmt::format("leave it at its default, {}", argument.default_value)
                                   : fmt::format("take {}", alternatives(support.values));
    problems.push_back({Problem::Kind::unsupported, values_[index].origin.where(),
                        fmt::format("'{}: {}' is not supported ({}): {}", argument.name,
                                    values_[index].as_written(), support.reason, advice)});
  }
  return problems;
}

/// Whether an argument counts only with others that are refused, so that there is no more to say.
bool Arguments::belongs_to_refused(std::size_t index) const {
  for (const std::string_view when : {section_at(index).when, argument_at(index).details.when}) {
    const Condition condition = Condition::parse(when);
    if (condition.names(argument_at(index).name)) continue;
    for (const Term& term : condition.terms) {
      if (is_refused(find_argument(term.name))) return true;
    }
  }
  return false;
}

std::string Arguments::no_effect_of(std::size_t index) const {
  const Argument& argument = argument_at(index);
  for (const std::string_view when : {section_at(index).when, argument.details.when}) {
    if (!holds(when, argument.name))
      return fmt::format("has no effect here: it only applies with {}", to_string(Condition::parse(when)));
  }
  const bool replaced = values_[index].origin.layer == Layer::derived &&
                        !same_after_conversion(argument, values_[index], values_[index].as_set());
  if (replaced)
    return fmt::format("is replaced: the run uses {}. {}", resolved_at(index).as_written(), argument.doc);
  if (argument.support.status != Status::no_effect) return "";
  return fmt::format("has no effect here: {}", argument.support.reason);
}

std::vector<std::string> Arguments::without_effect() const {
  std::vector<std::string> lines;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    const Value& given = values_[index].as_set();
    const bool chosen = given.origin.layer >= Layer::experiment;  // presets set many of these
    if (!chosen || is_default(argument, given)) continue;
    const std::string what = no_effect_of(index);
    if (what.empty()) continue;
    lines.push_back(fmt::format("{}: '{}: {}' {}", to_string(given.origin.where()), argument.name,
                                given.as_written(), what));
  }
  return lines;
}

Where Arguments::where_of(std::initializer_list<std::size_t> indices) const {
  const std::size_t strongest = *std::max_element(indices.begin(), indices.end(), [&](auto a, auto b) {
    return values_[a].as_set().origin.layer < values_[b].as_set().origin.layer;
  });
  return values_[strongest].as_set().origin.where();
}

void Arguments::throw_unset(std::size_t index) {
  throw_user_error("the argument '{}' is required: give it a value", argument_at(index).name);
}

}  // namespace primus::config
