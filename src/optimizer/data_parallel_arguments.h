#pragma once

#include "optimizer/distributed_data_parallel.h"

namespace primus::config {
class Arguments;
}

namespace primus::optimizer {

/// What the arguments say of data parallelism.
DataParallelConfig data_parallel_config_from(const config::Arguments& arguments);

/// The size of the buckets over `mesh`: Megatron's, max(40 million, 1 million per data-parallel rank)
/// elements when reductions overlap with backward, else one bucket; `ddp_bucket_size` and `ddp_num_buckets`
/// say otherwise. `elements`: of all parameters of a buffer.
BufferOptions buffer_options_from(const config::Arguments& arguments, int data_parallel_size,
                                  std::int64_t elements);

}  // namespace primus::optimizer
