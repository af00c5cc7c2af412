#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/arguments.h"
#include "config/derive.h"
#include "config/environment.h"
#include "config/layer_pattern.h"
#include "config/merge.h"
#include "config/print.h"
#include "config/tokens.h"
#include "config/validate.h"
#include "config/yaml.h"
#include "core/error.h"
#include "fuzz/targets.h"

namespace primus::fuzz {

namespace {

using namespace config;

/// The keys of `tree` over those that have no default -> arguments -> rules -> derived arguments.
void read_arguments(const Value& tree) {
  static const Value required = parse_yaml(
      "num_layers: 4\nhidden_size: 64\nnum_attention_heads: 4\nmax_position_embeddings: 128\n"
      "seq_length: 128\nmicro_batch_size: 2\nglobal_batch_size: 16\nlr: 0.001\ntrain_iters: 10\n",
      "required.yaml");
  Value parameters = required;
  deep_merge(parameters, tree);
  std::vector<Problem> problems;
  const Arguments given = Arguments::from(parameters, problems);
  given.unsupported();
  given.without_effect();
  std::erase_if(problems, [](const Problem& p) { return p.kind == Problem::Kind::unknown_key; });
  if (!problems.empty()) return;
  RunContext context;
  context.root_directory = "output";
  context.world_size = std::min<std::int64_t>(smallest_world_size(given), 1 << 20);
  const Arguments prepared = prepare(given, context);
  check_rules(prepared, context, problems);
  if (problems.empty()) megatron_arguments(derive(prepared, context), context);
}

}  // namespace

/// YAML -> environment -> arguments, and back to text.
void read_config_yaml(std::string_view bytes) {
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
  if (tree.is_map()) read_arguments(tree);
}

/// Command-line tokens, one a line -> values -> arguments.
void read_config_tokens(std::string_view bytes) {
  std::istringstream stream{std::string(bytes)};
  std::vector<std::string> tokens;
  for (std::string token; std::getline(stream, token);) tokens.push_back(token);
  const Overrides overrides = parse_tokens(tokens, "pre_trainer");
  read_arguments(overrides.values);
  parse_layer_pattern(bytes);
}

}  // namespace primus::fuzz
