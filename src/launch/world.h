#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/environment.h"

namespace primus::launch {

/// Who started this process, as far as its environment tells.
enum class Starter { nobody, torchrun, slurm, open_mpi, pmi };

std::string_view to_string(Starter starter);

/// This process's place among all processes of the run.
struct World {
  int rank = 0;
  int size = 1;
  /// Place among the processes of this machine.
  int local_rank = 0;
  int local_size = 1;
  /// Where rank 0 serves the rendezvous store.
  std::string master_address = "127.0.0.1";
  int master_port = 1234;
  Starter starter = Starter::nobody;
  /// Set when our launcher has started the run again after a failure: when it started it first.
  std::optional<std::chrono::system_clock::time_point> restarted_run_began;
};

/// The variables that tell a rank of its restart: the count, and the first start in seconds since 1970.
inline constexpr const char* restart_count_variable = "PRIMUS_RESTART_COUNT";
inline constexpr const char* run_began_variable = "PRIMUS_RUN_BEGAN";

/// The upper bounds of counts that have none of their own, and of ports.
inline constexpr int highest_count = std::numeric_limits<int>::max();
inline constexpr int highest_port = 65535;

/// The variables that make this process a rank of that world, and their values: "RANK=0 and WORLD_SIZE=2".
std::string origin_of(const World& world);

/// Reads the world from the variables of torchrun (RANK, WORLD_SIZE, ...; our own launcher sets the same),
/// mpirun (OMPI_COMM_WORLD_*), a PMI launcher (PMI_*) or a Slurm step (SLURM_*), in this order: what stands
/// nearer to the process wins. Without any of them the process is alone. Throws UserError that names the
/// variable when one is missing, no number, or out of range; with a number of ranks, but no rank, there is no
/// telling which of them this process is.
World world_from_environment(const Environment& environment = process_environment());

/// The value of a whole number within [low, high]; throws UserError that names the variable otherwise.
int parse_number(const std::string& name, const std::string& text, int low, int high);

}  // namespace primus::launch
