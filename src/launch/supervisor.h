#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launch/process.h"

namespace primus::launch {

/// The local ranks to start and how to look after them.
struct SupervisorOptions {
  /// What every rank runs.
  std::vector<std::string> command;
  /// Set for every rank, besides the variables that `Supervisor` sets itself.
  std::map<std::string, std::string> environment;
  int local_ranks = 1;
  int nodes = 1;
  int node = 0;
  std::string master_address = "127.0.0.1";
  /// 0, on one node: a free port, held open from here until rank 0 has it.
  int master_port = 0;
  /// CPU threads of each rank; 0: the machine's cores shared evenly, unless OMP_NUM_THREADS is set.
  int threads_per_rank = 0;
  /// Each rank runs only on the cores of one NUMA node, the ranks spread evenly over the nodes.
  bool bind_to_numa = false;
  /// The run is ended when no rank has made progress (a collective, an iteration) for so long; 0: never.
  std::chrono::milliseconds hang_timeout{0};
  /// How often the ranks are started again after a failure; each start sees it in its World.
  int max_restarts = 0;
  /// Receives every line of a rank's output without its newline.
  std::function<void(int rank, bool is_error, std::string_view line)> on_line;
  /// Receives what the supervisor itself has to say.
  std::function<void(const std::string& message)> on_message;
};

/// What local rank `local_rank` is started with, and `port` for the rendezvous.
Command command_of_rank(const SupervisorOptions& options, int local_rank, int port);

/// Starts the local ranks, passes their output on, and returns when all have ended and no process is left.
///
/// When a rank fails the others get two seconds to end by themselves and are then killed; the message names
/// the rank, how it ended, its last lines, and what every other rank was doing. SIGINT, SIGTERM and SIGHUP
/// are passed on as SIGTERM, so that the ranks can save and end; a second SIGINT or SIGTERM kills them. Other
/// signals that can mean something to a training (core/signals.h) are passed on as they are. Should this
/// process be killed itself, the kernel kills the ranks.
///
/// Returns the exit code to end with: 0, or that of the first rank that failed (128 + signal when one killed
/// it). Throws UserError when `command` cannot be started as asked.
int supervise(const SupervisorOptions& options);

}  // namespace primus::launch
