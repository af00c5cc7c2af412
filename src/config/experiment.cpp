#include "config/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/loader.h"
#include "config/merge.h"
#include "config/module.h"
#include "config/print.h"
#include "config/problem.h"
#include "config/tokens.h"
#include "config/yaml.h"
#include "core/file.h"

namespace primus::config {

namespace {

namespace fs = std::filesystem;

const Value& required_key(const Value& tree, std::string_view key, const std::string& file) {
  const Value* value = tree.map()->find(key);
  if (value == nullptr) throw UserError({file, 0}, fmt::format("the required key '{}' is missing", key));
  return *value;
}

/// A part of the run directory's path. A number is taken as it was written.
std::string name_of(const Value& tree, std::string_view key, const std::string& file) {
  const Value& value = required_key(tree, key, file);
  if (value.is_null() || value.is_list() || value.is_map()) {
    throw UserError(value.origin.where(),
                    fmt::format("'{}' must be a text, not {}", key, value.as_written()));
  }
  return value.as_written();
}

Value load_experiment_file(const ResolveRequest& request) {
  std::error_code ignored;
  if (!fs::is_regular_file(request.config, ignored)) {
    throw UserError(
        fmt::format("the configuration file '{}' does not exist or is no file", request.config.string()));
  }
  Value tree = load_file(request.config, Layer::experiment, request.environment);
  if (!tree.is_map()) {
    throw UserError({request.config.string(), 1},
                    fmt::format("an experiment file must hold a map of keys, not a {}", tree.kind()));
  }
  return tree;
}

std::string choose_module(const Value& tree, const ResolveRequest& request) {
  const Map& modules = *tree.map()->find("modules")->map();
  const std::string other = request.module == "pre_trainer" ? "post_trainer" : "pre_trainer";
  for (const std::string& name : {request.module, other}) {
    if (modules.contains(name)) return name;
  }
  std::vector<std::string> names;
  for (const auto& entry : modules) names.push_back(entry.first);
  throw UserError(
      {request.config.string(), 0},
      fmt::format("the required module '{}' is missing under 'modules'; there: {}", request.module,
                  names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

/// The Python way of writing a value as text.
std::string exported_text(const Value& value) {
  if (value.is_null()) return "None";
  if (const bool* boolean = value.boolean()) return *boolean ? "True" : "False";
  return value.text() ? *value.text() : to_json(value, JsonStyle::one_line);
}

/// The `env:` block of the named file itself: not inherited, `$NAME` and `${NAME}` replaced as a shell does.
std::vector<std::pair<std::string, std::string>> environment_block(const ResolveRequest& request,
                                                                   std::vector<std::string>& warnings) {
  std::vector<std::pair<std::string, std::string>> exports;
  const Value file = parse_yaml(read_file(request.config), request.config.string());
  const Value* block = file.is_map() ? file.map()->find("env") : nullptr;
  if (block == nullptr || block->is_null()) return exports;
  if (!block->is_map()) {
    warnings.push_back(fmt::format("{}: 'env' must be a map of names and values; it is left out",
                                   to_string(block->origin.where())));
    return exports;
  }
  for (const auto& [name, value] : *block->map()) {
    exports.emplace_back(name, expand_variables(exported_text(value), request.environment));
  }
  return exports;
}

/// The parameters of a module: what is left without the keys that describe the module itself.
Value parameters_of(const Value& module) {
  Value parameters = module;
  for (const std::string_view key :
       {"name", "framework", "config", "model", "trainer_class", "params", "overrides"}) {
    parameters.map()->erase(key);
  }
  return parameters;
}

void check_framework(const Value& module, const std::string& file) {
  const Value& framework = required_key(module, "framework", file);
  if (!framework.is_text() || *framework.text() != "megatron") {
    throw UserError(framework.origin.where(),
                    fmt::format("the framework '{}' is not supported: this program is the "
                                "'megatron' backend",
                                framework.as_written()));
  }
}

}  // namespace

std::vector<fs::path> config_directories(const fs::path& given, const Environment& environment) {
  std::vector<fs::path> directories;
  if (!given.empty()) {
    if (!fs::is_directory(given)) throw_user_error("--config_dir: '{}' is not a directory", given.string());
    directories.push_back(given);
  }
  if (const auto variable = environment("PRIMUS_CONFIG_DIR"); variable && !variable->empty()) {
    if (!fs::is_directory(*variable))
      throw_user_error("PRIMUS_CONFIG_DIR: '{}' is not a directory", *variable);
    directories.emplace_back(*variable);
  }
  directories.push_back(built_in_config_directory());
  return directories;
}

Document merge_experiment(const ResolveRequest& request) {
  Document document;
  document.tree = load_experiment_file(request);
  Value& tree = document.tree;
  const std::string file = request.config.string();
  for (const std::string_view key : {"work_group", "user_name", "exp_name", "workspace"})
    required_key(tree, key, file);
  tree.map()->set("name", Value(std::string("PrimusConfig")));
  tree.map()->set("config_file", Value(file));

  const PresetFinder presets(request.config_directories, request.environment);
  tree.map()->set("platform", merge_platform(tree.map()->find("platform"), presets));
  const Value& modules = required_key(tree, "modules", file);
  if (!modules.is_map()) {
    throw UserError(modules.origin.where(),
                    fmt::format("'modules' must be a map of modules, not {}", modules.as_written()));
  }
  for (auto& [name, module] : *tree.map()->find("modules")->map())
    module = merge_module(name, module, presets);
  return document;
}

Experiment resolve(const ResolveRequest& request) {
  Document document = merge_experiment(request);
  Overrides overrides = parse_tokens(request.overrides);
  const std::string file = request.config.string();

  Experiment experiment;
  experiment.document = std::move(document.tree);
  experiment.warnings = std::move(document.warnings);
  std::move(overrides.warnings.begin(), overrides.warnings.end(), std::back_inserter(experiment.warnings));

  Value& tree = experiment.document;
  experiment.work_group = name_of(tree, "work_group", file);
  experiment.user_name = name_of(tree, "user_name", file);
  experiment.exp_name = name_of(tree, "exp_name", file);
  experiment.workspace = name_of(tree, "workspace", file);
  experiment.root_directory =
      experiment.workspace / experiment.work_group / experiment.user_name / experiment.exp_name;
  experiment.module = choose_module(tree, request);
  experiment.environment = environment_block(request, experiment.warnings);

  Value& module = *tree.map()->find("modules")->map()->find(experiment.module);
  check_framework(module, file);
  deep_merge(module, overrides.values);

  std::vector<Problem> problems;
  experiment.arguments = Arguments::from(parameters_of(module), problems);
  if (request.allow_unknown_keys) {
    for (const Problem& problem : problems) {
      if (problem.kind == Problem::Kind::unknown_key) experiment.warnings.push_back(to_string(problem));
    }
    std::erase_if(problems,
                  [](const Problem& problem) { return problem.kind == Problem::Kind::unknown_key; });
  }
  throw_if_any(problems);
  return experiment;
}

Value resolved_tree(const Experiment& experiment) {
  Value tree = experiment.document;
  for (auto& [key, value] : *tree.map()->find("modules")->map()->find(experiment.module)->map()) {
    const std::size_t index = find_argument(key);
    if (index < argument_count) value.content = experiment.arguments.resolved_at(index).content;
  }
  return tree;
}

}  // namespace primus::config
