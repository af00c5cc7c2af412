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
#include "train/inputs.h"
#include "train/settings.h"

namespace primus::cli {

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    std::fputs(fmt::format("primus: warning: {}\n", warning).c_str(), stderr);
}

namespace {

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

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
    request.overrides.clear();
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
  command->add_flag("--as-original,--as_original", options->as_original,
                    "Keep the original's types: 1e-2 stays text");
  CLI::Option* derived = command->add_flag("--megatron-args,--megatron_args", options->megatron_args,
                                           "Print the arguments after derivation instead");
  derived->excludes("--as-original");
  command
      ->add_option("--world_size", options->world_size,
                   "Ranks, for --megatron-args (default: the fewest that fit)")
      ->check(CLI::Range(std::int64_t{1}, config::most_ranks))
      ->needs(derived);
  CLI::Option* target = command
                            ->add_option("--export_config", options->export_config,
                                         "Write to this file instead, e.g. to keep or to train from")
                            ->type_name("FILE");
  command
      ->add_option("--diff", options->diff,
                   "Print what differs in this other experiment; overrides are of the first alone")
      ->type_name("FILE")
      ->excludes(derived)
      ->excludes(target)
      ->excludes("--as-original")
      ->excludes("--format");
  command->callback([command, options] { show(*options, command->remaining()); });
}

// ---- explain and keys ----

/// The arguments of an experiment, derived ones too where no rule is broken; what is wrong is said as a
/// warning, for somebody who asks may be looking for the reason.
config::Arguments explained_arguments(const config::ResolveRequest& request) {
  std::vector<config::Problem> problems;
  const config::Experiment experiment = config::resolve(request, problems);
  config::Arguments arguments = experiment.arguments;
  if (problems.empty()) {
    const auto context = config::RunContext::of(experiment, config::smallest_world_size(arguments));
    const config::Arguments prepared = config::prepare(arguments, context);
    config::check_rules(prepared, context, problems);
    if (problems.empty()) arguments = config::derive(prepared, context).arguments;
  }
  for (const config::Problem& problem : problems) print_warnings({to_string(problem)});
  return arguments;
}

void add_explain(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("explain", "Say what an argument is for, and who set it");
  auto key = std::make_shared<std::string>();
  command->add_option("key", *key, "Argument")->required();
  const auto options = add_config_options(*command, /*required=*/false);
  command->callback([command, key, options] {
    const std::vector<std::string> tokens = command->remaining();
    if (options->config.empty()) {
      if (!tokens.empty()) throw_user_error("'{}' needs --config", tokens[0]);
      return print(config::explain(*key));
    }
    const config::Arguments arguments = explained_arguments(options->request(tokens));
    print(config::explain(*key, &arguments));
  });
}

void add_keys(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("keys", "List all arguments, with default and meaning");
  auto section = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  command->add_option("--section", *section, "Only this section");
  command->add_option("--format", *format, "text, or markdown (docs/parameters.md)")
      ->check(CLI::IsMember({"text", "markdown"}));
  command->callback([section, format] {
    const auto wanted = section->empty() ? std::nullopt : std::optional(*section);
    if (*format == "text") return print(config::list_arguments(wanted));
    if (wanted) throw_user_error("--section goes with --format text");
    print(config::parameters_markdown());
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

/// A report, and the files that the experiment names and that are not on this machine. Training may run where
/// they are, so that they are no problem of the experiment.
struct Report : config::ValidationReport {
  std::vector<std::string> missing_files;
};

/// What is wrong with one file, up to what `train` finds in its settings and the files that it reads.
Report report_on(const config::ResolveRequest& request, std::optional<std::int64_t> world_size) {
  Report report{config::validate(request, world_size), {}};
  if (!report.derived || !report.problems.empty() || !report.unsupported.empty()) return report;
  const config::Arguments& arguments = report.derived->arguments;
  try {
    train::check_settings(arguments, static_cast<int>(report.world_size));
    report.missing_files = train::missing_inputs(arguments, report.root_directory);
  } catch (const UserError& error) {
    report.problems.push_back({config::Problem::Kind::rule, {}, error.what()});
  }
  return report;
}

bool is_refused(const config::ValidationReport& report) {
  return !report.problems.empty() || !report.unsupported.empty();
}

/// "1 rank", "2 ranks".
std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string verdict(const Report& report) {
  if (!report.problems.empty()) return counted(std::ssize(report.problems), "problem");
  if (!report.unsupported.empty()) return fmt::format("{} unsupported", report.unsupported.size());
  if (!report.missing_files.empty())
    return fmt::format("ok, {} not on this machine", counted(std::ssize(report.missing_files), "file"));
  return "ok";
}

void print_table(const std::vector<Report>& reports) {
  std::size_t width = 4;
  for (const auto& report : reports) width = std::max(width, report.file.size());
  print(fmt::format("{:<{}}  {:>5}  {}\n", "FILE", width, "RANKS", "VERDICT"));
  for (const auto& report : reports) {
    const std::string ranks = report.world_size > 0 ? std::to_string(report.world_size) : "-";
    print(fmt::format("{:<{}}  {:>5}  {}\n", report.file, width, ranks, verdict(report)));
  }
}

/// Every problem on a line; with `heading` under the name of the file, since a problem may lie in a preset.
void print_details(const config::ValidationReport& report, bool heading) {
  const char* indentation = heading ? "  " : "";
  if (heading) print(fmt::format("\n{}\n", report.file));
  for (const auto* list : {&report.problems, &report.unsupported}) {
    for (const config::Problem& problem : *list)
      print(fmt::format("{}{}\n", indentation, to_string(problem)));
  }
}

void validate(const ValidateOptions& options, std::vector<std::string> tokens) {
  // --config takes all words up to the next option; those of the form key=value are overrides.
  const auto is_override = [](const std::string& word) { return word.find('=') != std::string::npos; };
  std::vector<std::string> patterns;
  for (const std::string& word : options.configs) (is_override(word) ? tokens : patterns).push_back(word);

  std::vector<Report> reports;
  config::ResolveRequest request = options.config.request(tokens);
  for (const std::string& pattern : patterns) {
    for (const std::string& file : expanded(pattern)) {
      request.config = file;
      reports.push_back(
          report_on(request, options.world_size > 0 ? std::optional(options.world_size) : std::nullopt));
    }
  }
  if (reports.size() == 1) {
    print_details(reports[0], /*heading=*/false);
    print_warnings(reports[0].notes);
    print_warnings(reports[0].missing_files);
    if (is_refused(reports[0])) throw_user_error("{} cannot be trained as it is", reports[0].file);
    print(fmt::format("{} can be trained on {}{}\n", reports[0].file, counted(reports[0].world_size, "rank"),
                      reports[0].missing_files.empty() ? "" : " once the missing files are in place"));
    return;
  }
  const auto refused = std::count_if(reports.begin(), reports.end(), is_refused);
  print_table(reports);
  for (const auto& report : reports) {
    if (is_refused(report)) print_details(report, /*heading=*/true);
  }
  if (refused > 0) throw_user_error("{} of {} files cannot be trained as they are", refused, reports.size());
  print(fmt::format("all {} files can be trained\n", reports.size()));
}

void add_validate(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("validate",
                            "Report everything that is wrong with experiment files, and warn of "
                            "files that they name and that are not on this machine");
  auto options = std::make_shared<ValidateOptions>();
  command->add_option("--config,--exp", options->configs, "Experiment files; * and ? are expanded")
      ->required()
      ->type_name("FILE");
  add_preset_options(*command, options->config);
  command->add_option("--world_size", options->world_size, "Ranks (default: the fewest that fit)")
      ->check(CLI::Range(std::int64_t{1}, config::most_ranks));
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
