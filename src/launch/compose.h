#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launch/launcher_file.h"
#include "launch/world.h"

namespace primus::launch {

/// A command line to run in this process's place.
struct Composed {
  std::vector<std::string> words;
  /// Print it instead.
  bool dry_run = false;
};

/// `slurm [srun|sbatch] [Slurm's options] -- [direct|container] [its options] -- COMMAND`: one launcher on
/// every node, which finds the nodes, its number and the first host in Slurm's variables. Default: srun, and
/// a container if an image is known (DOCKER_IMAGE or the file), else direct. Options of the file's `slurm`
/// section are added unless the command line has them. `program` is what to start on the nodes. Throws
/// UserError when a part is missing or more than one task a node is asked for.
Composed compose_slurm(const std::vector<std::string>& words, const Environment& environment,
                       const std::string& program);

/// `container [options of docker run] -- COMMAND`: the project's directory `root` is mounted where it is, the
/// program in it runs `direct` inside with the variables that matter passed on. `--device`, `--cap-add` and
/// `--volume` add to the file's, of other options the last counts. Throws UserError for a missing image or
/// command and for malformed devices, sizes, CPU counts or volumes.
Composed compose_container(const std::vector<std::string>& words, const Environment& environment,
                           const std::vector<std::string>& variable_names, const std::filesystem::path& root);

/// The names of all variables of this process's environment.
std::vector<std::string> variable_names();

}  // namespace primus::launch
