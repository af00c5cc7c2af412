#pragma once

#include "optimizer/distributed_data_parallel.h"
#include "optimizer/loss_normalization.h"

namespace primus::config {
class Arguments;
}

namespace primus::optimizer {

/// What the arguments say of data parallelism. Throws UserError when they contradict each other.
DataParallelConfig data_parallel_config_from(const config::Arguments& arguments,
                                             const LossNormalization& normalization);

}  // namespace primus::optimizer
