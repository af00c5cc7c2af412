#pragma once

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/arguments.h"
#include "config/environment.h"
#include "config/layer_pattern.h"
#include "config/print.h"
#include "config/tokens.h"
#include "config/yaml.h"

namespace primus::config {

// What the fuzzers under fuzz/ and the test of random mutations feed: any bytes end in values or in a
// UserError.

/// YAML -> environment -> arguments, and back to text.
inline void fuzz_yaml(std::string_view bytes) {
  try {
    Value tree = parse_yaml(bytes, "fuzz.yaml");
    substitute_environment(tree, [](const std::string& name) -> std::optional<std::string> {
      if (name.size() % 2 == 0) return std::nullopt;
      return name;
    });
    const std::string printed = to_yaml(tree);
    to_json(tree, JsonStyle::canonical);
    if (tree.is_map() && !same_content(parse_yaml(printed, "printed.yaml"), tree)) {
      throw std::logic_error("printed YAML does not read back the same:\n" + printed);
    }
    if (!tree.is_map()) return;
    std::vector<Problem> problems;
    const Arguments arguments = Arguments::from(tree, problems);
    arguments.unsupported();
    arguments.without_effect();
  } catch (const UserError&) {
  }
}

/// Command-line tokens, one a line -> values -> arguments.
inline void fuzz_tokens(std::string_view bytes) {
  try {
    std::istringstream stream{std::string(bytes)};
    std::vector<std::string> tokens;
    for (std::string token; std::getline(stream, token);) tokens.push_back(token);
    const Overrides overrides = parse_tokens(tokens);
    std::vector<Problem> problems;
    Arguments::from(overrides.values, problems);
    parse_layer_pattern(bytes);
  } catch (const UserError&) {
  }
}

}  // namespace primus::config
