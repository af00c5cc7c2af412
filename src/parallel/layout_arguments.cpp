#include "parallel/layout_arguments.h"

#include <algorithm>

#include "config/arguments.h"
#include "core/error.h"

namespace primus::parallel {

LayoutSizes layout_sizes_from(const config::Arguments& arguments, int world) {
  LayoutSizes sizes;
  sizes.world = world;
  sizes.tensor = static_cast<int>(arguments.get<"tensor_model_parallel_size">());
  sizes.context = static_cast<int>(arguments.get<"context_parallel_size">());
  sizes.pipeline = static_cast<int>(arguments.get<"pipeline_model_parallel_size">());
  sizes.expert = static_cast<int>(arguments.get<"expert_model_parallel_size">());
  if (arguments.counts<"expert_tensor_parallel_size">())
    sizes.expert_tensor = static_cast<int>(arguments.get<"expert_tensor_parallel_size">().value_or(0));
  sizes.pipeline_before_data = arguments.get<"use_tp_pp_dp_mapping">();
  sizes.sequence_parallel = arguments.get<"sequence_parallel">() && sizes.tensor > 1;
  blame(arguments.where<"tensor_model_parallel_size", "context_parallel_size", "pipeline_model_parallel_size",
                        "expert_model_parallel_size", "expert_tensor_parallel_size">(),
        [&] { check(sizes); });
  return sizes;
}

JoinOptions join_options_from(const config::Arguments& arguments, const std::string& fingerprint) {
  JoinOptions options;
  options.timeout = std::chrono::minutes(arguments.get<"distributed_timeout_minutes">());
  options.rendezvous_timeout = std::min(options.rendezvous_timeout, options.timeout);
  options.fingerprint = fingerprint;
  return options;
}

}  // namespace primus::parallel
