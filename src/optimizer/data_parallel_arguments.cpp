#include "optimizer/data_parallel_arguments.h"

#include <algorithm>

#include "config/arguments.h"
#include "core/error.h"

namespace primus::optimizer {

DataParallelConfig data_parallel_config_from(const config::Arguments& arguments) {
  DataParallelConfig config;
  config.overlap_grad_reduce = arguments.get<"overlap_grad_reduce">();
  config.use_distributed_optimizer = arguments.get<"use_distributed_optimizer">();
  config.overlap_param_gather = arguments.get<"overlap_param_gather">();
  config.grad_reduce_in_bf16 = arguments.get<"grad_reduce_in_bf16">();
  config.calculate_per_token_loss = arguments.get<"calculate_per_token_loss">();
  config.check_for_nan_in_grad = arguments.get<"check_for_nan_in_loss_and_grad">();
  return config;
}

BufferOptions buffer_options_from(const config::Arguments& arguments, int data_parallel_size,
                                  std::int64_t elements) {
  constexpr std::int64_t smallest = 40'000'000, per_rank = 1'000'000;
  BufferOptions options{.bucket_size = 0, .data_parallel_size = data_parallel_size};
  const auto size = arguments.get<"ddp_bucket_size">(), count = arguments.get<"ddp_num_buckets">();
  if (!arguments.get<"overlap_grad_reduce">()) return options;
  if (size && count) {
    throw UserError(arguments.where<"ddp_num_buckets">(),
                    "ddp_bucket_size and ddp_num_buckets exclude each other: leave one of them null");
  }
  options.bucket_size = std::max(smallest, per_rank * data_parallel_size);
  if (size) options.bucket_size = *size;
  if (count) options.bucket_size = (elements + *count - 1) / *count;
  return options;
}

}  // namespace primus::optimizer
