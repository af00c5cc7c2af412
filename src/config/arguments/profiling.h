#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Profiling and memory reports.
inline constexpr Argument profiling_arguments[] = {
    {"disable_profiler_activity_cpu", boolean, "false", not_yet, "Disable profiler activity cpu."},
    {"dump_param_to_param_group_map",
     text,
     "null",
     not_yet,
     "Dump param to param group map.",
     {.null = true}},
    {"log_device_memory_used", boolean, "false", not_yet, "Log device memory used."},
    {"log_memory_interval", integer, "null", not_yet, "Log memory interval.", {.null = true}},
    {"memory_snapshot_path", text, "snapshot.pickle", not_yet, "Memory snapshot path."},
    {"nvtx_ranges", boolean, "false", not_yet, "Nvtx ranges."},
    {"profile", boolean, "false", not_yet, "Profile."},
    {"profile_memory_iter", integer, "-1", not_yet, "Profile memory iter."},
    {"profile_ranks", integers, "[]", not_yet, "Profile ranks.", {.preset = "[0]"}},
    {"profile_step_end", integer, "12", not_yet, "Profile step end."},
    {"profile_step_start", integer, "10", not_yet, "Profile step start."},
    {"pytorch_profiler_collect_callstack", boolean, "false", not_yet, "Pytorch profiler collect callstack."},
    {"pytorch_profiler_collect_chakra", boolean, "false", not_yet, "Pytorch profiler collect chakra."},
    {"pytorch_profiler_collect_shapes", boolean, "false", not_yet, "Pytorch profiler collect shapes."},
    {"record_memory_history", boolean, "false", not_yet, "Record memory history."},
    {"record_shapes", boolean, "false", not_yet, "Record shapes."},
    {"torch_profiler_record_shapes", boolean, "true", not_yet, "Torch profiler record shapes."},
    {"torch_profiler_use_gzip", boolean, "true", not_yet, "Torch profiler use gzip."},
    {"torch_profiler_with_stack", boolean, "true", not_yet, "Torch profiler with stack."},
    {"use_nsys_profiler", boolean, "false", not_yet, "Use nsys profiler."},
    {"use_pytorch_profiler", boolean, "false", not_yet, "Use pytorch profiler."},
    {"use_rocm_mem_info", boolean, "false", no_effect("there is no ROCm device whose memory could be read"),
     "Use rocm mem info."},
    {"use_rocm_mem_info_iters", integers, "[1, 2]",
     no_effect("there is no ROCm device whose memory could be read"), "Use rocm mem info iters."},
    {"wall_clock_step_timer", boolean, "false", not_yet, "Wall clock step timer."},
};

}  // namespace primus::config::table
