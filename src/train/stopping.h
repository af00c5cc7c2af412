#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

namespace primus::parallel {
class Group;
}

namespace primus::train {

struct StopSettings {
  std::int64_t train_iters = 0;
  /// Null: nothing is ever saved.
  std::optional<std::int64_t> save_interval;
  std::optional<std::int64_t> exit_interval;
  std::optional<double> exit_duration_in_mins;
  bool disable_last_saving = false;
  /// A signal that ends the run beside those that always do.
  int exit_signal = SIGTERM;
};

/// Where a run stands after an iteration.
struct Progress {
  std::int64_t iteration = 0;
  double minutes = 0;
  /// The signal that asked for a stop, or 0.
  int signal = 0;
  /// How many signals have asked for a save so far, and how many of them have been answered.
  int save_requests = 0;
  int answered_save_requests = 0;
};

/// All ranks stop, and save, together: when one has received a signal, and by the clock that is ahead.
Progress agreed_progress(const parallel::Group& world, Progress own);

struct StopDecision {
  bool save = false;
  bool exit = false;
  /// For the log: why the run ends before its last iteration, or saves between two regular saves; empty
  /// otherwise.
  std::string reason;
  /// How many signals that ask for a save are answered by this.
  int save_requests = 0;
};

/// What follows an iteration, in Megatron's order: a signal, the regular save, the time limit, the exit
/// interval. Leaving saves first, unless saving is off. A signal that asks for a save alone is answered after
/// that, where nothing else saves.
StopDecision decide_after_iteration(const StopSettings& settings, const Progress& progress);

/// What signals and the time limit ask for between two iterations of an evaluation. Leaving abandons the
/// evaluation, and saves as after an iteration.
StopDecision decide_during_evaluation(const StopSettings& settings, const Progress& progress);

/// Whether the end of the loop owes a checkpoint: the last iteration has none yet and `disable_last_saving`
/// is off.
bool owes_last_save(const StopSettings& settings, std::int64_t iteration, std::int64_t last_saved_iteration);

}  // namespace primus::train
