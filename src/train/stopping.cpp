#include "train/stopping.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/signals.h"
#include "parallel/group.h"

namespace primus::train {

Progress agreed_progress(const parallel::Group& world, Progress own) {
  const at::Tensor all = at::tensor(
      {static_cast<double>(own.signal), static_cast<double>(own.save_requests), own.minutes}, at::kDouble);
  world.all_reduce(all, parallel::Reduction::maximum);
  own.signal = static_cast<int>(all[0].item<double>());
  own.save_requests = static_cast<int>(all[1].item<double>());
  own.minutes = all[2].item<double>();
  return own;
}

namespace {

/// Why a signal or the time limit ends the run; empty when none does.
std::string reason_to_leave(const StopSettings& settings, const Progress& progress) {
  if (progress.signal != 0)
    return fmt::format("exiting program after receiving {}.", signal_name(progress.signal));
  if (settings.exit_duration_in_mins && progress.minutes > *settings.exit_duration_in_mins)
    return fmt::format("exiting program after {:.1f} minutes", progress.minutes);
  return "";
}

/// Leaves for `reason`, when there is one, and answers a signal that asks for a save where nothing else
/// saves.
StopDecision decide(const StopSettings& settings, const Progress& progress, bool regular_save,
                    std::string reason) {
  StopDecision decision{.save = regular_save,
                        .exit = !reason.empty(),
                        .reason = std::move(reason),
                        .save_requests = progress.save_requests};
  if (decision.exit && settings.save_interval) decision.save = true;
  if (decision.save || progress.save_requests == progress.answered_save_requests) return decision;
  decision.save = settings.save_interval.has_value();
  decision.reason = decision.save ? "a signal asks for a checkpoint: it is saved, and the run goes on"
                                  : "received a signal to save a checkpoint, but saving is off: set 'save'";
  return decision;
}

}  // namespace

StopDecision decide_after_iteration(const StopSettings& settings, const Progress& progress) {
  std::string reason = reason_to_leave(settings, progress);
  if (reason.empty() && settings.exit_interval && progress.iteration % *settings.exit_interval == 0)
    reason = fmt::format("exiting program at iteration {}", progress.iteration);
  const bool regular = settings.save_interval && progress.iteration % *settings.save_interval == 0;
  return decide(settings, progress, regular, std::move(reason));
}

StopDecision decide_during_evaluation(const StopSettings& settings, const Progress& progress) {
  return decide(settings, progress, /*regular_save=*/false, reason_to_leave(settings, progress));
}

bool owes_last_save(const StopSettings& settings, std::int64_t iteration, std::int64_t last_saved_iteration) {
  return settings.save_interval && !settings.disable_last_saving && iteration > 0 &&
         iteration != last_saved_iteration;
}

}  // namespace primus::train
