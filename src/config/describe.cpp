#include "config/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/condition.h"
#include "config/print.h"
#include "config/suggest.h"

namespace primus::config {

namespace {

std::string_view bare_type(Type type) {
  switch (type) {
    case Type::boolean: return "boolean";
    case Type::integer: return "integer";
    case Type::number: return "number";
    case Type::text: return "text";
    case Type::integers: return "list of integers";
    case Type::numbers: return "list of numbers";
    case Type::texts: return "list of texts";
    case Type::words: return "text split at spaces, or list of texts";
    case Type::layer_pattern: return "layer pattern";
    case Type::map: return "map";
  }
  return "";
}

std::string with_commas(std::string_view choices) {
  std::string out;
  for (const char c : choices) out += c == '|' ? std::string(", ") : std::string(1, c);
  return out;
}

std::string default_text(const Argument& argument) {
  if (argument.details.preset.empty()) {
    return argument.required() ? "none: required" : std::string(argument.default_value);
  }
  return fmt::format("{} (Megatron: {})", argument.details.preset, argument.default_value);
}

std::string range_suffix(const Argument& argument) {
  const std::string range = to_string(argument.details.range);
  return range.empty() ? "" : ", " + range;
}

std::string shown_value(const Value& value) {
  return value.is_text() ? yaml_scalar(*value.text()) : value.is_null() ? "null" : value.as_written();
}

/// The chain of who set a value, strongest first, and the table's default at its end.
std::string set_by(const Argument& argument, const Value& value) {
  std::string out;
  bool ended_at_default = false;
  for (const Value* at = &value; at != nullptr; at = at->replaced.get()) {
    ended_at_default = at->origin.layer == Layer::table;
    out += fmt::format("{}{:<16}{:<24} {}\n", out.empty() ? "  set by    " : "            ",
                       to_string(at->origin.layer), shown_value(*at),
                       at->origin.file ? to_string(at->origin.where()) : "");
  }
  if (!ended_at_default) out += fmt::format("            {:<16}{}\n", "default", argument.default_value);
  return out;
}

/// A condition in a sentence, unless the argument is itself one of its switches.
std::string counts_with(std::string_view when, const Argument& argument) {
  const Condition condition = Condition::parse(when);
  return condition.names(argument.name) ? "" : to_string(condition);
}

std::string escaped_for_table(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

std::string type_text(const Argument& argument) {
  const std::string null = argument.details.null ? " or null" : "";
  if (argument.details.choices.empty()) {
    return std::string(bare_type(argument.type)) + range_suffix(argument) + null;
  }
  return (argument.holds_list() ? "some of " : "one of ") + with_commas(argument.details.choices) + null;
}

std::string status_text(const Argument& argument) {
  const Support& support = argument.support;
  switch (support.status) {
    case Status::implemented:
      return support.values.empty() ? "implemented"
                                    : fmt::format("implemented for {}; others: {}",
                                                  alternatives(support.values), support.reason);
    case Status::no_effect: return fmt::format("no effect: {}", argument.support.reason);
    case Status::unsupported: return fmt::format("unsupported: {}", argument.support.reason);
  }
  return "";
}

std::string explain(std::string_view name, const Arguments* arguments) {
  const std::size_t index = find_argument(name);
  if (index == argument_count) {
    throw_user_error("there is no argument '{}'{}", name, did_you_mean(name, argument_names()));
  }
  const Argument& argument = argument_at(index);
  const Section& section = section_at(index);
  std::string out = fmt::format(
      "{}\n  {}\n  type      {}\n  default   {}\n  section   {} ({})\n  status    {}\n", name, argument.doc,
      type_text(argument), default_text(argument), section.name, section.title, status_text(argument));
  for (const std::string_view when : {section.when, argument.details.when}) {
    const std::string with = counts_with(when, argument);
    if (!with.empty()) out += fmt::format("  counts    only with {}\n", with);
  }
  if (arguments == nullptr) return out;
  const Value& value = arguments->value_at(index);
  return out + fmt::format("  value     {}\n", shown_value(arguments->resolved_at(index))) +
         set_by(argument, value);
}

std::string list_arguments(const std::optional<std::string>& wanted) {
  std::string out;
  std::vector<std::string> names;
  for (const Section& section : sections) {
    names.emplace_back(section.name);
    if (wanted && *wanted != section.name) continue;
    out += fmt::format("{}# {}: {}\n", out.empty() ? "" : "\n", section.name, section.title);
    for (const Argument& argument : section.arguments) {
      out += fmt::format("{:<44} {:<22} {}\n", argument.name, default_text(argument), argument.doc);
    }
  }
  if (out.empty()) throw_user_error("there is no section '{}'{}", *wanted, did_you_mean(*wanted, names));
  return out;
}

std::string parameters_markdown() {
  std::string out =
      "# Parameters\n\n"
      "Every argument of a module, from the table in `src/config/arguments/`. Made by `primus-cli config "
      "keys --format "
      "markdown`;\ndo not edit by hand. The default is that of the base presets (`pre_trainer.yaml`, "
      "`language_model.yaml`), and Megatron's own\nwhere these say nothing.\n\n"
      "*implemented*: works. *no effect*: accepted, changes nothing here, for the reason given. "
      "*unsupported*: `train` "
      "refuses\nany value but the default. An argument that *counts with* others has no effect without them, "
      "and "
      "is then never\nrefused.\n\n";
  for (const Section& section : sections) {
    out += fmt::format("- [{}](#{}): {} arguments\n", section.title, section.name, section.arguments.size());
  }
  for (const Section& section : sections) {
    out += fmt::format(
        "\n<a id=\"{}\"></a>\n## {}\n\n{}| argument | type | default | meaning | status "
        "|\n|---|---|---|---|---|\n",
        section.name, section.title,
        section.when.empty() ? ""
                             : fmt::format("Counts with {}.\n\n", to_string(Condition::parse(section.when))));
    for (const Argument& argument : section.arguments) {
      const std::string with = counts_with(argument.details.when, argument);
      const std::string status = status_text(argument) + (with.empty() ? "" : "; counts with " + with);
      out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", argument.name,
                         escaped_for_table(type_text(argument)), escaped_for_table(default_text(argument)),
                         escaped_for_table(argument.doc), escaped_for_table(status));
    }
  }
  return out;
}

std::string difference(const Arguments& first, const Arguments& second) {
  std::string out;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Value a = first.resolved_at(index), b = second.resolved_at(index);
    if (same_content(a, b)) continue;
    out += fmt::format("{}: {} -> {}   ({} | {})\n", argument_at(index).name, shown_value(a), shown_value(b),
                       to_string(a.origin.where()), to_string(b.origin.where()));
  }
  return out;
}

}  // namespace primus::config
