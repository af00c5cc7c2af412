#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "config/experiment.h"

namespace primus::cli {

/// The options of every command that reads an experiment file.
struct ConfigOptions {
  std::string config;
  std::string config_directory;
  bool allow_unknown_keys = false;

  /// The request, with `tokens` (what is left on the command line) as overrides.
  config::ResolveRequest request(const std::vector<std::string>& tokens) const;
};

/// Adds --config_dir and --allow_unknown_keys, and lets everything else on the line through as overrides:
/// `key=value` or `--key value`. Read those with `command.remaining()` in the callback.
void add_preset_options(CLI::App& command, ConfigOptions& options);

/// The same with --config (also --exp), one file.
std::shared_ptr<ConfigOptions> add_config_options(CLI::App& command, bool required = true);

}  // namespace primus::cli
