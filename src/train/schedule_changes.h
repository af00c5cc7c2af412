#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "optimizer/scheduler.h"

namespace primus::config {
class Arguments;
struct Value;
}  // namespace primus::config

namespace primus::train {

/// In what the schedule of a run that goes on differs from the checkpoint's, and which of the two holds.
struct ScheduleChanges {
  std::vector<optimizer::ScheduleChange> changes;
  bool checkpoint_holds = false;
};

/// Adds the arguments that the schedule follows from, as they were set, to a run's identity.
void add_schedule_arguments(const config::Arguments& arguments, nlohmann::json& identity);

/// A schedule's changes by their cause.
struct ScheduleExplanation {
  /// For each argument that was changed, and has changed the schedule: what follows.
  std::map<std::string, std::string> by_argument;
  /// Whole lines for the changes of which no cause is known, as in checkpoints of an older program.
  std::vector<std::string> unexplained;
};

/// `saved` and `now` are the identities of the run that saved the checkpoint, and of this one.
ScheduleExplanation explain(const ScheduleChanges& schedule, const nlohmann::json& saved,
                            const nlohmann::json& now);

/// A value of an argument, for an identity.
nlohmann::json identity_value(const config::Value& value);

}  // namespace primus::train
