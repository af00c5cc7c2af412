#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "config/arguments/table.h"
#include "config/yaml.h"
#include "core/file.h"
#include "golden.h"

namespace primus::config {

namespace {

using nlohmann::json;
using ::testing::IsEmpty;

/// The rows of argument_schema.jsonl: Megatron's own options.
std::vector<json> megatron_options() {
  std::istringstream lines(
      read_file(testing::source_directory() / "tests/config/golden/argument_schema.jsonl"));
  std::vector<json> options;
  for (std::string line; std::getline(lines, line);) options.push_back(json::parse(line));
  return options;
}

/// "AttnBackend.auto" and its like by the name of their value alone.
json plain(const json& value) {
  if (!value.is_object() || !value.contains("__enum__")) return value;
  const std::string name = value["__enum__"];
  return name.substr(name.find('.') + 1);
}

std::string joined_choices(const json& choices) {
  std::string joined;
  for (const json& choice : choices) {
    const json name = plain(choice);
    joined += (joined.empty() ? "" : "|") + (name.is_string() ? name.get<std::string>() : name.dump());
  }
  return joined;
}

TEST(ArgumentSchema, EveryOptionOfMegatronHasARow) {
  const std::vector<json> options = megatron_options();
  ASSERT_EQ(options.size(), 671u);
  std::vector<std::string> missing;
  for (const json& option : options) {
    const std::string name = option["name"];
    if (find_argument(name) == argument_count) missing.push_back(name);
  }
  EXPECT_THAT(missing, IsEmpty());
}

/// The others are refused with any value but the default, or nothing reads them, for the reason that their
/// row gives.
TEST(ArgumentSchema, EveryNumberThatIsReadHasARange) {
  std::vector<std::string_view> without;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    const bool number = argument.type == Type::integer || argument.type == Type::number ||
                        argument.type == Type::integers || argument.type == Type::numbers;
    if (!number) continue;
    const bool read = argument.support.status == Status::implemented && argument.support.values.empty();
    if (read ? !argument.details.range.has_low() : argument.support.reason.empty())
      without.push_back(argument.name);
  }
  EXPECT_THAT(without, IsEmpty());
}

TEST(ArgumentSchema, DefaultsAreMegatrons) {
  std::vector<std::string> wrong;
  for (const json& option : megatron_options()) {
    const std::string name = option["name"];
    const std::size_t index = find_argument(name);
    if (index == argument_count) continue;
    const std::string_view row = argument_at(index).default_value;
    const json ours = testing::as_json(parse_yaml(row, name));
    const json theirs = plain(option["default"]);
    const bool same = ours.is_number() && theirs.is_number() ? ours == theirs : ours.dump() == theirs.dump();
    if (!same) wrong.push_back(fmt::format("{}: {}, in Megatron {}", name, ours.dump(), theirs.dump()));
  }
  EXPECT_THAT(wrong, IsEmpty());
}

/// `exit_signal` is left out: its choices are the signals of the machine.
TEST(ArgumentSchema, ChoicesAreMegatronsWithThoseOfPrimusBehind) {
  std::vector<std::string> wrong;
  for (const json& option : megatron_options()) {
    const std::string name = option["name"];
    const std::size_t index = find_argument(name);
    if (index == argument_count || !option.contains("choices") || name == "exit_signal") continue;
    const std::string theirs = joined_choices(option["choices"]);
    const std::string_view ours = argument_at(index).details.choices;
    if (!ours.starts_with(theirs))
      wrong.push_back(fmt::format("{}: '{}', in Megatron '{}'", name, ours, theirs));
  }
  EXPECT_THAT(wrong, IsEmpty());
}

}  // namespace

}  // namespace primus::config
