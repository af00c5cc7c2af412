#include "config/module.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/loader.h"
#include "config/merge.h"
#include "config/suggest.h"

namespace primus::config {

namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& path, const fs::path& directory) {
  const auto [end, ignored] = std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return end == directory.end();
}

/// The names of the presets in one folder of every tree.
std::vector<std::string> preset_names(const std::vector<fs::path>& directories, const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& directory : directories) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory / folder, ignored)) {
      if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
    }
  }
  return names;
}

/// The absolute path of a preset in one tree, or nothing when that tree has none.
/// Throws UserError when the path leaves the tree.
std::optional<fs::path> find_in(const fs::path& directory, const fs::path& folder, const Value& name) {
  const fs::path tree = fs::weakly_canonical(fs::absolute(directory));
  fs::path file = *name.text();
  if (file.extension() != ".yaml" && file.extension() != ".yml") file += ".yaml";
  const fs::path path = (tree / folder / file).lexically_normal();
  if (!is_below(path, tree)) {
    throw UserError(name.origin.where(),
                    fmt::format("the preset '{}' lies outside of '{}'", *name.text(), tree.string()));
  }
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  return std::nullopt;
}

Value load_preset(const std::vector<fs::path>& directories, const fs::path& folder, const Value& name,
                  Layer layer, const Environment& environment) {
  if (!name.is_text()) {
    throw UserError(name.origin.where(),
                    fmt::format("the name of a preset must be text, not {}", name.as_written()));
  }
  for (const fs::path& directory : directories) {
    if (const auto path = find_in(directory, folder, name)) {
      Value preset = load_file(*path, layer, environment);
      if (preset.is_map()) return preset;
      throw UserError({path->string(), 1},
                      fmt::format("a preset must hold a map of keys, not {}", preset.a_kind()));
    }
  }
  const fs::path wanted = fs::path(*name.text()).stem();
  const std::vector<std::string> names = preset_names(directories, folder);
  throw UserError(
      name.origin.where(),
      fmt::format("there is no preset '{}' in '{}'{}", *name.text(), (directories.front() / folder).string(),
                  names.empty() ? "; 'framework' must be megatron, the only one with presets here"
                                : did_you_mean(wanted.string(), names)));
}

const Value& module_key(const Value& module, const std::string& name, std::string_view key) {
  const Value* value = module.map()->find(key);
  if (value == nullptr) {
    throw UserError(module.origin.where(), fmt::format("the module '{}' lacks the key '{}'", name, key));
  }
  return *value;
}

void set_layer(Value& value, Layer layer) {
  value.origin.layer = layer;
  if (auto* list = value.list()) {
    for (Value& item : *list) set_layer(item, layer);
  } else if (Map* map = value.map()) {
    for (auto& entry : *map) set_layer(entry.second, layer);
  }
}

void check_module_name(const std::string& name, const Value& module) {
  if (name.find("trainer") == std::string::npos) {
    throw UserError(module.origin.where(),
                    fmt::format("unsupported module '{}': a module's name contains 'trainer', as in "
                                "pre_trainer",
                                name));
  }
  if (!module.is_map()) {
    throw UserError(module.origin.where(),
                    fmt::format("the module '{}' must be a map, not {}", name, module.as_written()));
  }
}

/// Keys of a module that say where its values come from.
bool describes_module(std::string_view key) {
  return key == "framework" || key == "config" || key == "model" || key == "overrides" || key == "params" ||
         key == "name" || key.starts_with('_');
}

}  // namespace

fs::path built_in_config_directory() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share" / "primus" / "configs";
  if (fs::is_directory(installed, ignored)) return installed;
  return fs::path(PRIMUS_SOURCE_DIR) / "configs";
}

Value PresetFinder::load(const Value& name, const std::string& framework, Layer layer) const {
  const fs::path kind = layer == Layer::model_preset ? "models" : "modules";
  return load_preset(directories_, kind / framework, name, layer, environment_);
}

Value PresetFinder::load_platform(const Value& name) const {
  return load_preset(directories_, "platforms", name, Layer::platform, environment_);
}

Value merge_module(const std::string& name, const Value& module, const PresetFinder& presets) {
  check_module_name(name, module);
  const Value& framework = module_key(module, name, "framework");
  if (!module.map()->contains("config")) {
    Value as_it_is = module;
    as_it_is.map()->set("name", Value("exp.modules." + name));
    return as_it_is;
  }
  const Value& model_name = module_key(module, name, "model");
  if (!framework.is_text()) {
    throw UserError(framework.origin.where(),
                    fmt::format("'framework' must be text, not {}", framework.as_written()));
  }

  Value merged = presets.load(*module.map()->find("config"), *framework.text(), Layer::module_preset);
  merged.map()->set("framework", framework);
  for (const auto& [key, value] : *module.map()) {
    if (!describes_module(key) && !merged.map()->contains(key)) merged.map()->set(key, value);
  }

  Value model = presets.load(model_name, *framework.text(), Layer::model_preset);
  model.map()->erase("name");
  if (!model.map()->contains("model")) model.map()->set("model", model_name);
  fill_missing(merged, model);

  if (const Value* overrides = module.map()->find("overrides"); overrides && !overrides->is_null()) {
    if (!overrides->is_map()) {
      throw UserError(overrides->origin.where(),
                      fmt::format("'overrides' must be a map of keys, not {}", overrides->as_written()));
    }
    Value over = *overrides;
    set_layer(over, Layer::overrides);
    merge_overrides(merged, over);
  }
  merged.map()->set("name", Value(name));
  return merged;
}

Value merge_platform(const Value* platform, const PresetFinder& presets) {
  Map by_default;
  if (platform == nullptr) {
    by_default.set("config", Value(std::string("platform_azure.yaml")));
    by_default.set("overrides", Value(Value::Content(Map())));
  }
  const Value given = platform ? *platform : Value(Value::Content(std::move(by_default)));
  const Value* config = given.is_map() ? given.map()->find("config") : nullptr;
  if (config == nullptr) {
    throw UserError(given.origin.where(), "'platform' needs the key 'config', the name of a platform preset");
  }

  Value merged = presets.load_platform(*config);
  merged.map()->set("config", *config);
  if (platform == nullptr) merged.map()->set("master_sink_level", Value(std::string("INFO")));
  if (const Value* overrides = given.map()->find("overrides"); overrides && !overrides->is_null()) {
    if (!overrides->is_map())
      throw UserError(overrides->origin.where(), "'overrides' of the platform must be a map");
    merge_overrides(merged, *overrides);
  }
  for (const std::string_view key :
       {"name", "num_nodes_env_key", "node_rank_env_key", "master_addr_env_key", "master_port_env_key",
        "gpus_per_node_env_key", "master_sink_level", "workspace"}) {
    if (!merged.map()->contains(key)) {
      throw UserError(config->origin.where(),
                      fmt::format("the platform preset '{}' lacks the key '{}'", config->as_written(), key));
    }
  }
  return merged;
}

}  // namespace primus::config
