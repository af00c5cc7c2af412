#include "cli/config_options.h"

namespace primus::cli {

config::ResolveRequest ConfigOptions::request(const std::vector<std::string>& tokens) const {
  config::ResolveRequest request;
  request.config = config;
  request.overrides = tokens;
  request.config_directories = config::config_directories(config_directory);
  request.allow_unknown_keys = allow_unknown_keys;
  return request;
}

void add_preset_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("--config_dir", options.config_directory, "Your own tree of presets, searched first")
      ->type_name("DIR");
  command.add_flag("--allow_unknown_keys", options.allow_unknown_keys,
                   "Warn of unknown keys instead of failing");
  command.allow_extras();
  command.footer("Any other word overrides an argument: key=value, --key value, or --flag for true.");
}

std::shared_ptr<ConfigOptions> add_config_options(CLI::App& command, bool required) {
  auto options = std::make_shared<ConfigOptions>();
  command.add_option("--config,--exp", options->config, "Experiment file (YAML)")
      ->required(required)
      ->type_name("FILE");
  add_preset_options(command, *options);
  return options;
}

}  // namespace primus::cli
