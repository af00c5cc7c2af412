#include "train/stopping.h"

#include <fmt/format.h>

#include <csignal>

namespace primus::train {

StopDecision decide_after_iteration(const StopSettings& settings, const Progress& progress) {
  StopDecision decision;
  decision.save = settings.save_interval && progress.iteration % *settings.save_interval == 0;
  if (progress.signal != 0) {
    decision.exit = true;
    decision.reason =
        fmt::format("exiting program after receiving {}.", progress.signal == SIGTERM ? "SIGTERM" : "SIGINT");
  } else if (settings.exit_duration_in_mins && progress.minutes > *settings.exit_duration_in_mins) {
    decision.exit = true;
    decision.reason = fmt::format("exiting program after {:.1f} minutes", progress.minutes);
  } else if (settings.exit_interval && progress.iteration % *settings.exit_interval == 0) {
    decision.exit = true;
    decision.reason = fmt::format("exiting program at iteration {}", progress.iteration);
  }
  if (decision.exit && settings.save_interval) decision.save = true;
  return decision;
}

bool owes_last_save(const StopSettings& settings, std::int64_t iteration, std::int64_t last_saved_iteration) {
  return settings.save_interval && !settings.disable_last_saving && iteration > 0 &&
         iteration != last_saved_iteration;
}

}  // namespace primus::train
