#include "config/arguments.h"

#include <fmt/format.h>

#include <utility>

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

/// Whether nobody asked for another value than the default: Megatron's, the base presets', or what follows
/// from others.
bool is_default(const Argument& argument, const Value& value) {
  return value.origin.layer == Layer::derived ||
         same_after_conversion(argument, value, default_value(argument)) ||
         same_after_conversion(argument, value, preset_value(argument));
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
  for (const auto& [key, value] : *parameters.map()) {
    const std::size_t index = find_argument(key);
    if (index < argument_count) {
      arguments.store(index, value, problems);
    } else {
      problems.push_back({Problem::Kind::unknown_key, value.origin.where(), unknown_key_message(key)});
    }
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

void Arguments::store(std::size_t index, const Value& value, std::vector<Problem>& problems) {
  const Argument& argument = argument_at(index);
  values_[index] = value;
  if (argument.required() && value.is_null()) return;  // reported as missing
  auto converted = convert(argument, value);
  if (auto* typed = std::get_if<TypedValue>(&converted)) {
    typed_[index] = std::move(*typed);
    return;
  }
  const auto& reason = std::get<std::string>(converted);
  const bool choice = reason.starts_with("must be one of");
  problems.push_back({choice ? Problem::Kind::bad_choice : Problem::Kind::wrong_type, value.origin.where(),
                      fmt::format("'{}' {}", argument.name, reason)});
}

const Value& Arguments::value(std::string_view name) const {
  const std::size_t index = find_argument(name);
  if (index == argument_count) {
    throw_user_error("there is no argument '{}'{}", name, did_you_mean(name, argument_names()));
  }
  return values_[index];
}

Value Arguments::resolved_at(std::size_t index) const {
  Value value = values_[index];
  const TypedValue& typed = typed_[index];
  if (argument_at(index).optional() && std::holds_alternative<std::monostate>(typed))
    value.content = std::monostate();
  if (const auto* boolean = std::get_if<bool>(&typed); boolean && !value.is_null()) value.content = *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&typed)) value.content = *integer;
  if (const auto* text = std::get_if<std::string>(&typed)) value.content = *text;
  // An integer where a number is wanted stays as it was written.
  if (const auto* number = std::get_if<double>(&typed); number && !value.integer()) value.content = *number;
  return value;
}

void Arguments::set(std::string_view name, Value value) {
  (void)this->value(name);
  std::vector<Problem> problems;
  store(find_argument(name), value, problems);
  throw_if_any(problems);
}

std::vector<Problem> Arguments::unsupported() const {
  std::vector<Problem> problems;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    if (argument.support.status != Status::unsupported || is_default(argument, values_[index])) continue;
    problems.push_back(
        {Problem::Kind::unsupported, values_[index].origin.where(),
         fmt::format("'{}: {}' is not supported ({}): leave it at its default, {}", argument.name,
                     values_[index].as_written(), argument.support.reason, argument.default_value)});
  }
  return problems;
}

std::vector<std::string> Arguments::without_effect() const {
  std::vector<std::string> lines;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    const bool chosen = values_[index].origin.layer >= Layer::experiment;  // presets set many of these
    if (argument.support.status != Status::no_effect || !chosen || is_default(argument, values_[index]))
      continue;
    lines.push_back(fmt::format("{}: '{}: {}' has no effect here: {}",
                                to_string(values_[index].origin.where()), argument.name,
                                values_[index].as_written(), argument.support.reason));
  }
  return lines;
}

void Arguments::throw_unset(std::size_t index) {
  throw_user_error("the argument '{}' is required: give it a value", argument_at(index).name);
}

}  // namespace primus::config
