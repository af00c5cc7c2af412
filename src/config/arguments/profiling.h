#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Profiling and memory reports.
// clang-format off: one row is one line, or a few.
inline constexpr Argument profiling_arguments[] = {
    {"disable_profiler_activity_cpu", boolean, "false", not_yet, "Leave the CPU out of profiles.",
     {.when = "profile"}},
    {"dump_param_to_param_group_map", text, "null", not_yet,
     "File that lists which parameter is in which optimizer group.", {.null = true}},
    {"dump_pp_data", boolean, "false", not_yet, "Record what each stage did when, for drawing.",
     {.when = "pipeline_model_parallel_size!=1"}},
    {"log_device_memory_used", boolean, "false", not_yet, "Log the memory in use on the device."},
    {"log_memory_interval", integer, "null", not_yet,
     "Iterations between two reports of memory.", {.null = true}},
    {"memory_snapshot_path", text, "snapshot.pickle", not_yet, "File of the allocator's history.",
     {.when = "record_memory_history"}},
    {"nvtx_ranges", boolean, "false", not_yet, "Mark the phases of a step for Nsight.", {.when = "profile"}},
    {"profile", boolean, "false", not_yet, "Record a profile of the chosen steps and ranks."},
    {"profile_memory_iter", integer, "-1", not_yet,
     "Iteration at which the memory of each schedule step is recorded; -1: none.",
     {.when = "patch_zero_bubble"}},
    {"profile_ranks", integers, "[]", not_yet, "Ranks to profile.", {.preset = "[0]", .when = "profile"}},
    {"profile_step_end", integer, "12", not_yet, "Iteration at which the profile ends.", {.when = "profile"}},
    {"profile_step_start", integer, "10", not_yet, "Iteration at which the profile starts.",
     {.when = "profile"}},
    {"pytorch_profiler_collect_callstack", boolean, "false", not_yet, "Record call stacks in profiles.",
     {.when = "profile"}},
    {"pytorch_profiler_collect_chakra", boolean, "false", not_yet,
     "Record an execution trace in Chakra's format.", {.when = "profile"}},
    {"pytorch_profiler_collect_shapes", boolean, "false", not_yet, "Record tensor shapes in profiles.",
     {.when = "profile"}},
    {"record_memory_history", boolean, "false", not_yet, "Record every allocation."},
    {"record_shapes", boolean, "false", not_yet, "Former name of torch_profiler_record_shapes.",
     {.when = "profile"}},
    {"torch_profiler_record_shapes", boolean, "true", not_yet, "Record tensor shapes in profiles.",
     {.when = "profile"}},
    {"torch_profiler_use_gzip", boolean, "true", not_yet, "Compress profiles.", {.when = "profile"}},
    {"torch_profiler_with_stack", boolean, "true", not_yet, "Record call stacks in profiles.",
     {.when = "profile"}},
    {"use_nsys_profiler", boolean, "false", not_yet, "Profile with Nsight Systems.", {.when = "profile"}},
    {"use_pytorch_profiler", boolean, "false", not_yet, "Profile with PyTorch's profiler.",
     {.when = "profile"}},
    {"use_rocm_mem_info", boolean, "false", no_effect("there is no ROCm device whose memory could be read"),
     "Ask rocm-smi for the memory in use at every log line."},
    {"use_rocm_mem_info_iters", integers, "[1, 2]", no_effect("there is no ROCm device whose memory could be read"),
     "Iterations at which rocm-smi is asked."},
    {"wall_clock_step_timer", boolean, "false", not_yet,
     "Time steps by the wall clock, without waiting for the device."},
};
// clang-format on

}  // namespace primus::config::table
