#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/environment.h"
#include "config/value.h"

namespace primus::config {

/// The tree of presets that comes with the program: configs/ beside the sources, or share/primus/configs
/// beside the installed program's folder.
std::filesystem::path built_in_config_directory();

/// Finds presets by name in trees laid out as configs/{models,modules,platforms}.
class PresetFinder {
 public:
  PresetFinder(std::vector<std::filesystem::path> directories, const Environment& environment)
      : directories_(std::move(directories)), environment_(environment) {}

  /// The preset `<models|modules>/<framework>/<name>`; the suffix .yaml may be left out. `name` is the value
  /// that asks for it. Throws UserError when there is none, or when its path leaves the tree.
  Value load(const Value& name, const std::string& framework, Layer layer) const;

  /// The preset `platforms/<name>`.
  Value load_platform(const Value& name) const;

 private:
  std::vector<std::filesystem::path> directories_;
  const Environment& environment_;
};

/// One module of an experiment: module preset, the keys of the model preset that it lacks, then `overrides`.
/// A module without `config` (and with or without `model`) is taken as already merged.
Value merge_module(const std::string& name, const Value& module, const PresetFinder& presets);

/// The `platform` of an experiment with its preset; `platform` is null when the experiment has none.
Value merge_platform(const Value* platform, const PresetFinder& presets);

}  // namespace primus::config
