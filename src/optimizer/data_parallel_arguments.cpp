#include "optimizer/data_parallel_arguments.h"

#include <algorithm>

#include "config/arguments.h"
#include "core/error.h"

namespace primus::optimizer {

DataParallelConfig data_parallel_config_from(const config::Arguments& arguments,
                                             const LossNormalization& normalization) {
  DataParallelConfig config;
  config.overlap_grad_reduce = arguments.get<"overlap_grad_reduce">();
  config.use_distributed_optimizer = arguments.get<"use_distributed_optimizer">();
  config.overlap_param_gather = arguments.get<"overlap_param_gather">();
  config.grad_reduce_in_bf16 = arguments.get<"grad_reduce_in_bf16">();
  config.gradient_divisor = normalization.rank_divisor();
  config.check_for_nan_in_grad = arguments.get<"check_for_nan_in_loss_and_grad">();
  return config;
}

std::int64_t bucket_size_from(const config::Arguments& arguments, int data_parallel_size,
                              std::int64_t elements) {
  constexpr std::int64_t smallest = 40'000'000, per_rank = 1'000'000;
  const auto size = arguments.get<"ddp_bucket_size">(), count = arguments.get<"ddp_num_buckets">();
  if (size && count) {
    throw UserError(arguments.where<"ddp_num_buckets">(),
                    "ddp_bucket_size and ddp_num_buckets exclude each other: leave one of them null");
  }
  if (size.value_or(1) < 1 || count.value_or(1) < 1) {
    throw UserError(size ? arguments.where<"ddp_bucket_size">() : arguments.where<"ddp_num_buckets">(),
                    "must be at least 1");
  }
  if (!arguments.get<"overlap_grad_reduce">()) return 0;
  if (size) return *size;
  if (count) return (elements + *count - 1) / *count;
  return std::max(smallest, per_rank * data_parallel_size);
}

}  // namespace primus::optimizer
