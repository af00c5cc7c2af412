#include "optimizer/data_parallel_arguments.h"

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
  if (!config.overlap_grad_reduce) return config;
  config.bucket_size = arguments.get<"ddp_bucket_size">();
  config.num_buckets = arguments.get<"ddp_num_buckets">();
  if (config.bucket_size && config.num_buckets) {
    throw UserError(arguments.where<"ddp_num_buckets">(),
                    "ddp_bucket_size and ddp_num_buckets exclude each other: leave one of them null");
  }
  return config;
}

}  // namespace primus::optimizer
