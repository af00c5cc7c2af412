#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/config_options.h"
#include "config/describe.h"
#include "config/print.h"
#include "config/validate.h"
#include "core/file.h"

namespace primus::cli {

namespace {

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    std::fputs(fmt::format("primus: warning: {}\n", warning).c_str(), stderr);
}

// ---- show ----

struct ShowOptions {
  std::shared_ptr<ConfigOptions> config;
  std::string format = "yaml";
  std::string diff;
  std::string export_config;
  bool as_original = false;
  bool megatron_args = false;
  std::int64_t world_size = 0;
};

config::Value tree_of(const ShowOptions& options, const config::ResolveRequest& request) {
  if (options.as_original) {
    const config::Document document = config::merge_experiment(request);
    print_warnings(document.warnings);
    return document.tree;
  }
  const config::Experiment experiment = config::resolve(request);
  print_warnings(experiment.warnings);
  if (!options.megatron_args) return config::resolved_tree(experiment);
  const std::int64_t world_size =
      options.world_size > 0 ? options.world_size : config::smallest_world_size(experiment.arguments);
  const auto context = config::RunContext::of(experiment, world_size);
  return config::megatron_arguments(config::derive_or_throw(experiment.arguments, context), context);
}

void show(const ShowOptions& options, const std::vector<std::string>& tokens) {
  config::ResolveRequest request = options.config->request(tokens);
  if (!options.diff.empty()) {
    const config::Experiment first = config::resolve(request);
    request.config = options.diff;
    print(config::difference(first.arguments, config::resolve(request).arguments));
    return;
  }
  const config::Value tree = tree_of(options, request);
  const std::string text =
      options.format == "json" ? to_json(tree, config::JsonStyle::canonical) + "\n" : to_yaml(tree);
  if (options.export_config.empty()) {
    print(text);
  } else {
    write_file_atomically(options.export_config, text);
  }
}

void add_show(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("show", "Print what an experiment file means, all presets merged");
  auto options = std::make_shared<ShowOptions>();
  options->config = add_config_options(*command);
  command->add_option("--format", options->format, "yaml, or json with sorted keys")
      ->check(CLI::IsMember({"yaml", "json"}));
  command->add_flag("--as-original", options->as_original, "Keep the original's types: 1e-2 stays text");
  command->add_flag("--megatron-args", options->megatron_args,
                    "Print the arguments after derivation instead");
  command->add_option("--world_size", options->world_size,
                      "Ranks, for --megatron-args (default: the fewest that fit)");
  command->add_option("--diff", options->diff, "Print what differs in this other experiment")
      ->type_name("FILE");
  command->add_option("--export_config", options->export_config, "Write to this file instead")
      ->type_name("FILE");
  command->callback([command, options] { show(*options, command->remaining()); });
}

// ---- explain and keys ----

struct ExplainOptions {
  std::string key;
  ConfigOptions config;
};

void add_explain(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("explain", "Say what an argument is for, and who set it");
  auto options = std::make_shared<ExplainOptions>();
  command->add_option("key", options->key, "Argument")->required();
  command
      ->add_option("--config,--exp", options->config.config, "Experiment file, for the value and who set it")
      ->type_name("FILE");
  command
      ->add_option("--config_dir", options->config.config_directory,
                   "Your own tree of presets, searched first")
      ->type_name("DIR");
  command->allow_extras();
  command->callback([command, options] {
    if (options->config.config.empty()) return print(config::explain(options->key));
    const config::Experiment experiment = config::resolve(options->config.request(command->remaining()));
    print(config::explain(options->key, &experiment.arguments));
  });
}

void add_keys(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("keys", "List all arguments, with default and meaning");
  auto section = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  command->add_option("--section", *section, "Only this section");
  command->add_option("--format", *format, "text, names, or markdown (docs/parameters.md)")
      ->check(CLI::IsMember({"text", "names", "markdown"}));
  command->callback([section, format] {
    if (*format == "markdown") return print(config::parameters_markdown());
    if (*format == "names") {
      for (const std::string& name : config::argument_names()) print(name + "\n");
      return;
    }
    print(config::list_arguments(section->empty() ? std::nullopt : std::optional(*section)));
  });
}

// ---- validate ----

struct ValidateOptions {
  std::vector<std::string> configs;
  ConfigOptions config;
  std::int64_t world_size = 0;
};

/// The files that a pattern stands for; a pattern without a match stands for itself, and is then reported as
/// missing.
std::vector<std::string> expanded(const std::string& pattern) {
  glob_t matches{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  ::globfree(&matches);
  return files.empty() ? std::vector<std::string>{pattern} : files;
}

std::string verdict(const config::ValidationReport& report) {
  if (!report.problems.empty()) return fmt::format("{} problems", report.problems.size());
  if (!report.unsupported.empty()) return fmt::format("{} unsupported", report.unsupported.size());
  return "ok";
}

void print_details(const config::ValidationReport& report) {
  for (const config::Problem& problem : report.problems) print(fmt::format("{}\n", to_string(problem)));
  for (const config::Problem& problem : report.unsupported) print(fmt::format("{}\n", to_string(problem)));
}

void validate(const ValidateOptions& options, std::vector<std::string> tokens) {
  // --config takes all words up to the next option; those of the form key=value are overrides.
  const auto is_override = [](const std::string& word) { return word.find('=') != std::string::npos; };
  std::vector<std::string> patterns;
  for (const std::string& word : options.configs) (is_override(word) ? tokens : patterns).push_back(word);

  std::vector<config::ValidationReport> reports;
  config::ResolveRequest request = options.config.request(tokens);
  for (const std::string& pattern : patterns) {
    for (const std::string& file : expanded(pattern)) {
      request.config = file;
      reports.push_back(config::validate(
          request, options.world_size > 0 ? std::optional(options.world_size) : std::nullopt));
    }
  }
  std::size_t refused = 0, width = 0;
  for (const auto& report : reports) width = std::max(width, report.file.size());
  for (const auto& report : reports) {
    refused += report.problems.empty() && report.unsupported.empty() ? 0 : 1;
    if (reports.size() > 1)
      print(fmt::format("{:<{}}  {:>6}  {}\n", report.file, width, report.world_size, verdict(report)));
  }
  for (const auto& report : reports) print_details(report);
  if (reports.size() == 1) print_warnings(reports[0].notes);
  if (refused > 0) throw_user_error("{} of {} files cannot be trained as they are", refused, reports.size());
  print(fmt::format("{} of {} files can be trained\n", reports.size(), reports.size()));
}

void add_validate(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("validate", "Report everything that is wrong with experiment files");
  auto options = std::make_shared<ValidateOptions>();
  command->add_option("--config,--exp", options->configs, "Experiment files; * and ? are expanded")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--config_dir", options->config.config_directory,
                   "Your own tree of presets, searched first")
      ->type_name("DIR");
  command->add_flag("--allow_unknown_keys", options->config.allow_unknown_keys,
                    "Unknown keys are no problem");
  command->add_option("--world_size", options->world_size, "Ranks (default: the fewest that fit)");
  command->allow_extras();
  command->callback([command, options] { validate(*options, command->remaining()); });
}

}  // namespace

void add_config(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("config", "Look at configurations: show, explain, validate, keys");
  command->require_subcommand(1);
  add_show(*command);
  add_explain(*command);
  add_validate(*command);
  add_keys(*command);
}

}  // namespace primus::cli
