#pragma once

#include <cstdint>

#include "optimizer/optimizer.h"
#include "optimizer/scheduler.h"

namespace primus::config {
class Arguments;
}

namespace primus::optimizer {

/// The optimizer that the arguments describe. Throws UserError for one that there is not.
OptimizerConfig optimizer_config_from(const config::Arguments& arguments);

/// The schedule of learning rate and weight decay. Lengths given in iterations count `global_batch_size`
/// samples each; those in samples are taken as they are. `train_iters` is the length of the run. Throws
/// UserError when arguments contradict each other.
SchedulerConfig scheduler_config_from(const config::Arguments& arguments, std::int64_t global_batch_size,
                                      std::int64_t train_iters);

}  // namespace primus::optimizer
