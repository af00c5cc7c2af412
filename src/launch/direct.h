#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launch/launcher_file.h"
#include "launch/supervisor.h"
#include "launch/world.h"

namespace primus::launch {

/// What `primus-cli direct` was told on its command line; what is absent comes from the environment, then
/// from the launcher's file, then from the defaults.
struct DirectOptions {
  std::optional<int> local_ranks;
  std::optional<int> nodes;
  std::optional<int> node;
  std::optional<std::string> master_address;
  std::optional<int> master_port;
  std::optional<bool> numa;
  int threads_per_rank = 0;
  double hang_timeout_seconds = 0;
  int max_restarts = 0;
  bool single = false;
  bool debug = false;
  /// KEY=VALUE, or a shell file to read variables from.
  std::vector<std::string> env;
  std::vector<std::string> patches;
  /// What every rank runs, this program's path first.
  std::vector<std::string> command;
};

/// Resolves the options. Variables: GPUS_PER_NODE (ranks per node), NNODES, NODE_RANK, MASTER_ADDR,
/// MASTER_PORT; inside a Slurm job the unset ones come from it. Runs the shell files of `env` to learn their
/// variables. Throws UserError for values out of range or contradictions.
SupervisorOptions plan_direct(const DirectOptions& options, const LauncherFile& file,
                              const Environment& environment);

/// Runs the patch scripts of the command line, or else of the file, in order: 0 means applied, 2 skipped;
/// throws Error for any other end.
void run_patches(const DirectOptions& options, const LauncherFile& file);

}  // namespace primus::launch
