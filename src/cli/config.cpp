#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/config_options.h"
#include "config/print.h"

namespace primus::cli {

namespace {

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    std::fputs(fmt::format("primus: warning: {}\n", warning).c_str(), stderr);
}

struct ShowOptions {
  std::shared_ptr<ConfigOptions> config;
  std::string format = "yaml";
  bool as_original = false;
};

void show(const ShowOptions& options, const std::vector<std::string>& tokens) {
  const config::ResolveRequest request = options.config->request(tokens);
  config::Value tree;
  if (options.as_original) {
    tree = config::merge_experiment(request).tree;
  } else {
    const config::Experiment experiment = config::resolve(request);
    print_warnings(experiment.warnings);
    tree = config::resolved_tree(experiment);
  }
  const std::string text =
      options.format == "json" ? to_json(tree, config::JsonStyle::canonical) + "\n" : to_yaml(tree);
  std::fputs(text.c_str(), stdout);
}

void add_show(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("show", "Print what an experiment file means, all presets merged");
  auto options = std::make_shared<ShowOptions>();
  options->config = add_config_options(*command);
  command->add_option("--format", options->format, "yaml, or json with sorted keys")
      ->check(CLI::IsMember({"yaml", "json"}));
  command->add_flag("--as-original", options->as_original, "Keep the original's types: 1e-2 stays text");
  command->callback([command, options] { show(*options, command->remaining()); });
}

}  // namespace

void add_config(CLI::App& program) {
  CLI::App* command = program.add_subcommand("config", "Look at configurations: show, explain, validate");
  command->require_subcommand(1);
  add_show(*command);
}

}  // namespace primus::cli
