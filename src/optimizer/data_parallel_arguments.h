#pragma once

#include "optimizer/distributed_data_parallel.h"
#include "optimizer/loss_normalization.h"

namespace primus::config {
class Arguments;
}

namespace primus::optimizer {

/// What the arguments say of data parallelism.
DataParallelConfig data_parallel_config_from(const config::Arguments& arguments,
                                             const LossNormalization& normalization);

/// The size of buckets, in elements: Megatron's, max(40 million, 1 million per data-parallel rank), when
/// reductions overlap with backward, else 0: one bucket. `ddp_bucket_size` and `ddp_num_buckets` say otherwise.
/// `elements`: of all parameters of a buffer.
std::int64_t bucket_size_from(const config::Arguments& arguments, int data_parallel_size,
                              std::int64_t elements);

}  // namespace primus::optimizer
