#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace primus::train {

struct StopSettings {
  std::int64_t train_iters = 0;
  /// Null: nothing is ever saved.
  std::optional<std::int64_t> save_interval;
  std::optional<std::int64_t> exit_interval;
  std::optional<double> exit_duration_in_mins;
  bool disable_last_saving = false;
};

/// Where a run stands after an iteration.
struct Progress {
  std::int64_t iteration = 0;
  double minutes = 0;
  /// The signal that asked for a stop, or 0.
  int signal = 0;
};

struct StopDecision {
  bool save = false;
  bool exit = false;
  /// For the log: why the run ends before its last iteration; empty otherwise.
  std::string reason;
};

/// What follows an iteration, in Megatron's order: a signal, the regular save, the time limit, the exit
/// interval. Leaving saves first, unless saving is off.
StopDecision decide_after_iteration(const StopSettings& settings, const Progress& progress);

/// Whether the end of the loop owes a checkpoint: the last iteration has none yet and `disable_last_saving`
/// is off.
bool owes_last_save(const StopSettings& settings, std::int64_t iteration, std::int64_t last_saved_iteration);

}  // namespace primus::train
