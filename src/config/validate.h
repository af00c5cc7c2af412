#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/derive.h"
#include "config/experiment.h"
#include "config/problem.h"

namespace primus::config {

/// The fewest ranks that an experiment's parallel sizes ask for.
std::int64_t smallest_world_size(const Arguments& arguments);

/// What is wrong with one experiment file.
struct ValidationReport {
  std::string file;
  std::int64_t world_size = 0;           ///< 0 when it could not be told
  std::vector<Problem> problems;         ///< the file is wrong
  std::vector<Problem> unsupported;      ///< the file is right, and asks for what this engine does not have
  std::vector<std::string> notes;        ///< accepted, but worth a line
  std::filesystem::path root_directory;  ///< the run's, when it could be told
  std::optional<DerivedArguments> derived;  ///< when no rule is broken
};

/// Resolves, checks and derives, and collects everything that is wrong. Without `world_size`, the smallest
/// that fits.
ValidationReport validate(const ResolveRequest& request, std::optional<std::int64_t> world_size);

/// What `train` starts from: the derived arguments of a resolved experiment, once every rule holds and
/// nothing unsupported is asked for. Throws UserError with every problem.
DerivedArguments arguments_for_training(const Experiment& experiment, const RunContext& context);

}  // namespace primus::config
