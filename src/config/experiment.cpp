#include "config/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/loader.h"
#include "config/merge.h"
#include "config/module.h"
#include "config/print.h"
#include "config/problem.h"
#include "config/suggest.h"
#include "config/tokens.h"
#include "config/yaml.h"
#include "core/file_kind.h"

namespace primus::config {

namespace {

namespace fs = std::filesystem;

/// What may stand at the top of an experiment file; the last two are in exported files.
constexpr std::string_view top_keys[] = {"work_group", "user_name", "exp_name", "workspace",  "modules",
                                         "platform",   "env",       "name",     "config_file"};

/// The names that stand above all modules, and say where a run writes.
constexpr std::string_view run_keys[] = {"work_group", "user_name", "exp_name", "workspace"};

/// The keys that say where a module's values come from. They name presets, so they cannot follow from the
/// command line.
constexpr std::string_view describing_keys[] = {"name",  "framework",     "config",
                                                "model", "trainer_class", "overrides"};

template <std::size_t N>
bool is_one_of(const std::string_view (&keys)[N], std::string_view key) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

const Value& required_key(const Value& tree, std::string_view key, const std::string& file) {
  const Value* value = tree.map()->find(key);
  if (value != nullptr) return *value;
  std::vector<std::string> others;
  for (const auto& entry : *tree.map()) {
    if (!is_one_of(top_keys, entry.first)) others.push_back(entry.first);
  }
  const auto near = nearest_names(key, others, 1);
  if (near.empty()) throw UserError({file, 0}, fmt::format("the required key '{}' is missing", key));
  throw UserError(tree.map()->find(near[0])->origin.where(),
                  fmt::format("the required key '{}' is missing: is '{}' a typo for it?", key, near[0]));
}

/// A part of the run directory's path. A number is taken as it was written.
std::string name_of(const Value& tree, std::string_view key, const std::string& file) {
  const Value& value = required_key(tree, key, file);
  if (value.is_null() || value.is_list() || value.is_map()) {
    throw UserError(value.origin.where(), fmt::format("'{}' must be text, not {}", key, value.as_written()));
  }
  std::string name = value.as_written();
  if (name.empty()) {
    throw UserError(value.origin.where(), fmt::format("'{}' is empty, and is part of the run's folder", key));
  }
  // Programs take a leading - for an option, and shells a leading ~ for the home folder.
  const bool has_control =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (has_control || name[0] == '-' || name[0] == '~') {
    throw UserError(
        value.origin.where(),
        fmt::format(
            "'{}' names a folder and must not begin with - or ~, nor contain a newline or another control "
            "character; it is {}",
            key, to_json(Value(std::move(name)), JsonStyle::one_line)));
  }
  return name;
}

/// The name of a folder inside of another, which must not lead out of it, or be that other.
std::string folder_name_of(const Value& tree, std::string_view key, const std::string& file) {
  std::string name = name_of(tree, key, file);
  const fs::path path(name);
  const bool leaves =
      path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end() ||
      std::all_of(path.begin(), path.end(), [](const fs::path& part) { return part == "." || part.empty(); });
  if (leaves) {
    throw UserError(
        required_key(tree, key, file).origin.where(),
        fmt::format("'{}' must name a subfolder: '{}' would put the run's files outside its own folder", key,
                    name));
  }
  return name;
}

Value load_experiment_file(const ResolveRequest& request) {
  std::error_code ignored;
  if (!fs::is_regular_file(request.config, ignored)) {
    throw UserError(
        fmt::format("the configuration file '{}' does not exist or is not a file", request.config.string()));
  }
  Value tree = load_file(request.config, Layer::experiment, request.environment);
  if (!tree.is_map()) {
    throw UserError({request.config.string(), 1},
                    fmt::format("an experiment file must hold a map of keys, not {}", tree.a_kind()));
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
      fmt::format("the required module '{}' is missing under 'modules'; there: {}{}", request.module,
                  names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")),
                  names.empty() ? "" : ". Rename the one to run"));
}

/// The Python way of writing a value as text.
std::string exported_text(const Value& value) {
  if (value.is_null()) return "None";
  if (const bool* boolean = value.boolean()) return *boolean ? "True" : "False";
  return value.text() ? *value.text() : to_json(value, JsonStyle::one_line);
}

/// Lays the command line over the tree: the keys of the run itself at its top, all others in the module.
void apply_overrides(Value& tree, Value& module, Value overrides) {
  for (const std::string_view key : describing_keys) {
    if (overrides.map()->contains(key)) {
      throw_user_error(
          "command line: '{0}' selects what the module is built from, so it must be set in the experiment "
          "file; "
          "there it may be a reference such as '{0}: ${{MY_VARIABLE:default}}'",
          key);
    }
  }
  for (const std::string_view key : run_keys) {
    Value* value = overrides.map()->find(key);
    if (value == nullptr) continue;
    remember_replaced(*value, *tree.map()->find(key));
    tree.map()->set(key, *value);
    overrides.map()->erase(key);
  }
  deep_merge(module, overrides);
}

/// Adds a problem when a key stands where only `keys` have a meaning. Names that start with `_`, `.` or `x-`
/// are free for anchors.
template <std::size_t N>
void check_place(const std::string& key, const Value& value, const std::string_view (&keys)[N],
                 const std::string& place, std::vector<Problem>& problems) {
  const bool is_free = key.starts_with('_') || key.starts_with('.') || key.starts_with("x-");
  if (is_free || is_one_of(keys, key)) return;
  const std::string advice = find_argument(key) < argument_count
                                 ? ": move it under 'overrides' of its module"
                                 : did_you_mean(key, {std::begin(keys), std::end(keys)});
  problems.push_back({Problem::Kind::misplaced_key, value.origin.where(),
                      fmt::format("the key '{}' is not used {}{}", key, place, advice)});
}

/// Keys of the file itself, and of its modules beside `overrides`, that nothing reads.
void find_misplaced_keys(const Value& tree, std::vector<Problem>& problems) {
  for (const auto& [key, value] : *tree.map())
    check_place(key, value, top_keys, "at the top of an experiment file", problems);
  const Value* modules = tree.map()->find("modules");
  if (modules == nullptr || !modules->is_map()) return;
  for (const auto& [name, module] : *modules->map()) {
    if (!module.is_map()) continue;
    // Without `config` it is already merged: arguments stand here.
    if (!module.map()->contains("config")) {
      if (const Value* overrides = module.map()->find("overrides"))
        problems.push_back(
            {Problem::Kind::misplaced_key, overrides->origin.where(),
             fmt::format("'overrides' of '{}' would be ignored, since the module has no "
                         "'config' and 'model': add them, or set the arguments directly in the module",
                         name)});
      continue;
    }
    for (const auto& [key, value] : *module.map())
      check_place(key, value, describing_keys, fmt::format("beside 'overrides' of '{}'", name), problems);
  }
}

/// Problems that --allow_unknown_keys turns into warnings.
bool concerns_unknown_key(const Problem& problem) {
  return problem.kind == Problem::Kind::unknown_key || problem.kind == Problem::Kind::misplaced_key;
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
  find_misplaced_keys(tree, document.problems);
  const std::string file = request.config.string();
  for (const std::string_view key : run_keys) required_key(tree, key, file);
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

  if (request.module.empty()) return document;
  document.module = choose_module(tree, request);
  Overrides overrides = parse_tokens(request.overrides, document.module);
  apply_overrides(tree, *tree.map()->find("modules")->map()->find(document.module),
                  std::move(overrides.values));
  document.warnings = std::move(overrides.warnings);
  return document;
}

Value Document::parameters() const {
  Value parameters = *tree.map()->find("modules")->map()->find(module);
  for (const std::string_view key : describing_keys) parameters.map()->erase(key);
  parameters.map()->erase("params");
  return parameters;
}

std::vector<std::pair<std::string, std::string>> environment_block(const ResolveRequest& request,
                                                                   std::vector<std::string>& warnings) {
  std::vector<std::pair<std::string, std::string>> exports;
  const Value file = parse_yaml(read_text_file(request.config), request.config.string());
  const Value* block = file.is_map() ? file.map()->find("env") : nullptr;
  if (block == nullptr || block->is_null()) return exports;
  if (!block->is_map()) {
    warnings.push_back(fmt::format("{}: 'env' must be a map of names and values; it is ignored",
                                   to_string(block->origin.where())));
    return exports;
  }
  for (const auto& [name, value] : *block->map()) {
    exports.emplace_back(name, expand_variables(exported_text(value), request.environment));
  }
  return exports;
}

Experiment resolve(const ResolveRequest& request) {
  std::vector<Problem> problems;
  Experiment experiment = resolve(request, problems);
  throw_if_any(problems);
  return experiment;
}

Experiment resolve(const ResolveRequest& request, std::vector<Problem>& problems) {
  Document document = merge_experiment(request);
  const std::string file = request.config.string();

  Experiment experiment;
  experiment.warnings = std::move(document.warnings);
  experiment.work_group = folder_name_of(document.tree, "work_group", file);
  experiment.user_name = folder_name_of(document.tree, "user_name", file);
  experiment.exp_name = folder_name_of(document.tree, "exp_name", file);
  experiment.workspace = name_of(document.tree, "workspace", file);
  experiment.root_directory =
      experiment.workspace / experiment.work_group / experiment.user_name / experiment.exp_name;
  experiment.module = document.module;
  experiment.environment = environment_block(request, experiment.warnings);
  check_framework(*document.tree.map()->find("modules")->map()->find(document.module), file);

  experiment.arguments = Arguments::from(document.parameters(), problems);
  // A key beside `overrides` is among the parameters too; it is reported once, by what is wrong with its
  // place.
  std::erase_if(problems, [&](const Problem& problem) {
    return problem.kind == Problem::Kind::unknown_key &&
           std::any_of(document.problems.begin(), document.problems.end(),
                       [&](const Problem& misplaced) { return misplaced.where == problem.where; });
  });
  problems.insert(problems.begin(), document.problems.begin(), document.problems.end());
  if (request.allow_unknown_keys) {
    for (const Problem& problem : problems) {
      if (concerns_unknown_key(problem)) experiment.warnings.push_back(to_string(problem));
    }
    std::erase_if(problems, concerns_unknown_key);
  }
  experiment.document = std::move(document.tree);
  return experiment;
}

std::string derived_comment(const Arguments& arguments) {
  std::string lines;
  for (std::size_t index = 0; index < argument_count; ++index) {
    if (arguments.value_at(index).origin.layer != Layer::derived) continue;
    const Value value = arguments.resolved_at(index);
    if (same_content(value, arguments.set_at(index))) continue;
    lines += fmt::format("#   {}: {}", argument_at(index).name, to_yaml(value));
  }
  return lines.empty() ? "" : "\n# Derived from these arguments (a comment, for readers):\n" + lines;
}

Value resolved_tree(const Experiment& experiment) {
  Value tree = experiment.document;
  // The original names a module that is already merged otherwise than one that it merges.
  for (auto& [name, module] : *tree.map()->find("modules")->map()) module.map()->set("name", Value(name));
  for (auto& [key, value] : *tree.map()->find("modules")->map()->find(experiment.module)->map()) {
    const std::size_t index = find_argument(key);
    if (index < argument_count) value.content = experiment.arguments.set_at(index).content;
  }
  return tree;
}

}  // namespace primus::config
