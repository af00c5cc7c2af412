#include "launch/direct.h"

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>

#include "core/error.h"
#include "launch/master_host.h"
#include "launch/process.h"

namespace primus::launch {

namespace {

/// Where one setting may come from, strongest first: command line, its variable, Slurm's variable, the file.
struct Sources {
  const LauncherFile& file;
  const Environment& environment;
  bool in_slurm;

  std::optional<std::string> text(const char* variable, const char* slurm_variable, const char* key) const {
    for (const char* name : {variable, in_slurm ? slurm_variable : nullptr}) {
      const auto value = name == nullptr ? std::nullopt : environment(name);
      if (value && !value->empty()) return value;
    }
    return key == nullptr ? std::nullopt : file.value("direct", key);
  }

  int number(std::optional<int> given, const char* variable, const char* slurm_variable, const char* key,
             int fallback, int low, int high) const {
    if (given) return parse_number(variable, std::to_string(*given), low, high);
    const auto found = text(variable, slurm_variable, key);
    return found ? parse_number(variable, *found, low, high) : fallback;
  }
};

std::string master_address(const DirectOptions& options, const Sources& sources, int nodes, int node) {
  const auto given =
      options.master_address ? options.master_address : sources.text("MASTER_ADDR", nullptr, "master_addr");
  if (given && given->empty()) throw_user_error("MASTER_ADDR is empty");
  const auto node_list = sources.in_slurm ? slurm_node_list(sources.environment) : std::nullopt;
  if (nodes > 1 && node_list) return slurm_master_address(given, *node_list, node);
  if (given) return *given;
  if (nodes > 1) {
    throw_user_error(
        "MASTER_ADDR is not set: {} nodes need the address of the first one (--master_addr; localhost "
        "when all are this machine)",
        nodes);
  }
  return "localhost";
}

/// The variables that sourcing a shell file sets or changes.
std::map<std::string, std::string> variables_of_file(const std::string& path,
                                                     const Environment& environment) {
  if (!std::filesystem::exists(path)) throw_user_error("--env {}: it is neither KEY=VALUE nor a file", path);
  const Finished finished =
      run_to_end({.words = {"bash", "-c", "set -ae; . \"$1\" >&2; env -0", "bash", path}, .environment = {}});
  if (finished.status != 0) throw_user_error("--env {}: the file {}", path, describe_end(finished.status));
  std::map<std::string, std::string> changed;
  std::string_view rest = finished.output;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(entry.substr(0, equals)), value(entry.substr(equals + 1));
    if (name != "_" && name != "SHLVL" && name != "PWD" && environment(name) != value) changed[name] = value;
  }
  return changed;
}

/// Files first and values after them: values have the highest priority.
std::map<std::string, std::string> added_variables(const DirectOptions& options, const LauncherFile& file,
                                                   const Environment& environment) {
  std::vector<std::string> requests = file.values("direct", "env");
  requests.insert(requests.end(), options.env.begin(), options.env.end());
  std::map<std::string, std::string> variables;
  for (const std::string& request : requests) {
    if (request.find('=') != std::string::npos) continue;
    for (auto& [name, value] : variables_of_file(request, environment)) variables[name] = value;
  }
  for (const std::string& request : requests) {
    const std::size_t equals = request.find('=');
    if (equals == 0) throw_user_error("--env {}: the name is missing", request);
    if (equals != std::string::npos) variables[request.substr(0, equals)] = request.substr(equals + 1);
  }
  return variables;
}

}  // namespace

SupervisorOptions plan_direct(const DirectOptions& options, const LauncherFile& file,
                              const Environment& environment) {
  file.refuse_unknown("direct", {"debug", "dry_run", "gpus_per_node", "master_port", "nnodes", "master_addr",
                                 "run_mode", "numa", "log_file", "patch", "env"});
  const Sources sources{file, environment, environment("SLURM_JOB_ID").has_value()};
  SupervisorOptions plan;
  plan.command = options.command;
  if (options.command.size() < 2) throw_user_error("direct: nothing to run: give a command after --");
  const bool single = options.single || file.value("direct", "run_mode") == "single";
  plan.nodes = sources.number(options.nodes, "NNODES", "SLURM_NNODES", "nnodes", 1, 1, highest_count);
  plan.node = sources.number(options.node, "NODE_RANK", "SLURM_NODEID", nullptr, 0, 0, plan.nodes - 1);
  plan.local_ranks =
      sources.number(options.local_ranks, "GPUS_PER_NODE", nullptr, "gpus_per_node", 1, 1, highest_count);
  if (single && (plan.nodes > 1 || options.local_ranks.value_or(1) > 1)) {
    throw_user_error("direct: --single runs one process, but {} nodes with {} ranks each were asked for",
                     plan.nodes, plan.local_ranks);
  }
  if (single) plan.local_ranks = 1;
  plan.master_address = master_address(options, sources, plan.nodes, plan.node);
  // Alone on its node a run takes any free port; several nodes must know the number beforehand.
  plan.master_port = sources.number(options.master_port, "MASTER_PORT", nullptr, "master_port",
                                    plan.nodes > 1 ? World{}.master_port : 0, 0, highest_port);
  plan.threads_per_rank = options.threads_per_rank;
  plan.bind_to_numa = options.numa.value_or(file.flag("direct", "numa"));
  plan.hang_timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.hang_timeout_seconds * 1e3));
  plan.max_restarts = options.max_restarts;
  if (plan.max_restarts > 0 && plan.nodes > 1) {
    throw_user_error(
        "direct: --max_restarts works on one node only: over several nodes let the job scheduler start the "
        "run again, it continues from the last checkpoint");
  }
  plan.environment = added_variables(options, file, environment);
  if (options.debug || file.flag("direct", "debug")) plan.environment["PRIMUS_LOG_LEVEL"] = "DEBUG";
  return plan;
}

void run_patches(const DirectOptions& options, const LauncherFile& file) {
  constexpr int skipped = 2;
  const auto patches = options.patches.empty() ? file.values("direct", "patch") : options.patches;
  for (const std::string& patch : patches) {
    if (!std::filesystem::exists(patch)) throw_user_error("--patch {}: there is no such file", patch);
  }
  for (const std::string& patch : patches) {
    const Finished finished =
        run_to_end({.words = {"bash", "-c", "exec bash \"$0\" >&2", patch}, .environment = {}});
    if (finished.status == 0 || (WIFEXITED(finished.status) && WEXITSTATUS(finished.status) == skipped)) {
      continue;
    }
    throw Error(fmt::format("--patch {}: the script {}", patch, describe_end(finished.status)));
  }
}

}  // namespace primus::launch
