#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "launch/compose.h"
#include "launch/process.h"

namespace primus::launch {

namespace {

/// Short and long spelling of the options that both the file and the command line may have.
struct Alias {
  std::string_view brief;
  std::string_view full;
};
constexpr std::array<Alias, 9> aliases = {{{"-p", "partition"},
                                           {"-N", "nodes"},
                                           {"-n", "ntasks"},
                                           {"-c", "cpus-per-task"},
                                           {"-t", "time"},
                                           {"-o", "output"},
                                           {"-e", "error"},
                                           {"-J", "job-name"},
                                           {"-K", "kill-on-bad-exit"}}};

/// When one node's launcher fails before the ranks have met, the other nodes need not wait for it.
constexpr const char* end_together = "--kill-on-bad-exit=1";

/// What stands before the first "--", the entry and its options after it, the program's command after the
/// second.
struct SlurmLine {
  std::string scheduler = "srun";
  std::vector<std::string> scheduler_options;
  std::string entry;
  std::vector<std::string> entry_options;
  std::vector<std::string> command;
  std::string file;
  bool debug = false;
  bool dry_run = false;
};

using Words = std::vector<std::string>;

Words::const_iterator separator(const Words& words, Words::const_iterator from) {
  return std::find(from, words.end(), "--");
}

SlurmLine parse_slurm(const Words& words) {
  SlurmLine parsed;
  const auto first = separator(words, words.begin());
  if (first == words.end()) throw_user_error("slurm: the command is missing: give it after --");
  auto word = words.begin();
  if (word != first && (*word == "srun" || *word == "sbatch")) parsed.scheduler = *word++;
  for (; word != first; ++word) {
    if (*word == "--debug") {
      parsed.debug = true;
    } else if (*word == "--dry-run" || *word == "--dry_run") {
      parsed.dry_run = true;
    } else if (*word == "--config" && std::next(word) != first) {
      parsed.file = *++word;
    } else {
      parsed.scheduler_options.push_back(*word);
    }
  }
  auto rest = std::next(first);
  if (rest != words.end() && (*rest == "direct" || *rest == "container")) {
    parsed.entry = *rest++;
    const auto second = separator(words, rest);
    if (second == words.end())
      throw_user_error("slurm: the command is missing: give it after {} ... --", parsed.entry);
    parsed.entry_options.assign(rest, second);
    rest = std::next(second);
  }
  parsed.command.assign(rest, words.end());
  if (parsed.command.empty()) throw_user_error("slurm: nothing to run: give a command after the last --");
  return parsed;
}

/// The value of an option of the command line, in any of its spellings.
std::optional<std::string> value_of(const Words& options, const std::string& full) {
  const auto alias =
      std::find_if(aliases.begin(), aliases.end(), [&](const Alias& a) { return a.full == full; });
  const std::string brief = alias == aliases.end() ? "" : std::string(alias->brief);
  for (auto word = options.begin(); word != options.end(); ++word) {
    if (word->starts_with("--" + full + "=")) return word->substr(full.size() + 3);
    const bool spelled_out = *word == "--" + full || *word == brief;
    if (spelled_out) return std::next(word) == options.end() ? "" : *std::next(word);
    if (!brief.empty() && word->starts_with(brief) && !word->starts_with("--"))
      return word->substr(brief.size());
  }
  return std::nullopt;
}

void refuse_several_tasks_a_node(const Words& options) {
  const auto per_node = value_of(options, "ntasks-per-node");
  if (per_node && *per_node != "1") {
    throw_user_error(
        "slurm: --ntasks-per-node={}: one launcher runs on each node and starts its ranks itself; use "
        "--ntasks-per-node=1, "
        "and after direct --nproc_per_node for the ranks",
        *per_node);
  }
  const auto tasks = value_of(options, "ntasks"), nodes = value_of(options, "nodes");
  if (tasks && *tasks != nodes.value_or("1")) {
    throw_user_error(
        "slurm: {} tasks on {} nodes: one launcher runs on each node and starts its ranks itself; leave "
        "--ntasks out, and "
        "use --nproc_per_node after direct for the ranks",
        *tasks, nodes.value_or("1"));
  }
}

void add_slurm_options(Words& options, const LauncherFile& file) {
  for (const std::string& key : file.keys("slurm")) {
    if (key == "debug" || key == "dry_run") continue;
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    if (value_of(options, name)) continue;
    options.push_back(fmt::format("--{}={}", name, file.value("slurm", key).value_or("")));
  }
}

}  // namespace

Composed compose_slurm(const Words& words, const Environment& environment, const std::string& program) {
  SlurmLine parsed = parse_slurm(words);
  const LauncherFile file = find_launcher_file(parsed.file, environment);
  add_slurm_options(parsed.scheduler_options, file);
  refuse_several_tasks_a_node(parsed.scheduler_options);
  if (parsed.entry.empty()) {
    const auto image = environment("DOCKER_IMAGE");
    const bool known = (image && !image->empty()) || file.value("container", "options.image").has_value();
    parsed.entry = known ? "container" : "direct";
  }
  Words step = {program, parsed.entry};
  if (!parsed.file.empty()) step.insert(step.end(), {"--config", parsed.file});
  if (parsed.debug || file.flag("slurm", "debug")) step.push_back("--debug");
  step.insert(step.end(), parsed.entry_options.begin(), parsed.entry_options.end());
  step.push_back("--");
  step.insert(step.end(), parsed.command.begin(), parsed.command.end());

  Composed composed;
  composed.dry_run = parsed.dry_run || file.flag("slurm", "dry_run") || file.flag("main", "dry_run");
  composed.words = {parsed.scheduler};
  composed.words.insert(composed.words.end(), parsed.scheduler_options.begin(),
                        parsed.scheduler_options.end());
  if (!value_of(parsed.scheduler_options, "ntasks-per-node")) composed.words.push_back("--ntasks-per-node=1");
  if (parsed.scheduler == "sbatch") {
    composed.words.insert(composed.words.end(),
                          {"--wrap", fmt::format("srun {} {}", end_together, shell_line(step))});
  } else {
    if (!value_of(parsed.scheduler_options, "kill-on-bad-exit")) composed.words.emplace_back(end_together);
    composed.words.insert(composed.words.end(), step.begin(), step.end());
  }
  return composed;
}

}  // namespace primus::launch
