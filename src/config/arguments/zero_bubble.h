#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Zero-bubble and Primus pipeline schedules.
inline constexpr Argument zero_bubble_arguments[] = {
    {"allow_padding_num_layers", boolean, "true", not_yet, "Allow padding num layers."},
    {"auto_offload_time", boolean, "true", not_yet, "Auto offload time."},
    {"communication_method", text, "async_p2p", not_yet, "Communication method."},
    {"cpu_offload", boolean, "false", not_yet, "Cpu offload."},
    {"debug_scheduler_table", boolean, "false", not_yet, "Debug scheduler table."},
    {"dump_pp_data", boolean, "false", not_yet, "Dump pp data."},
    {"enable_1f1b_v", boolean, "false", not_yet, "Enable 1f1b v."},
    {"enable_exactly_numeric_match", boolean, "true", not_yet, "Enable exactly numeric match."},
    {"enable_optimizer_post_validation", boolean, "false", not_yet, "Enable optimizer post validation."},
    {"enable_zb_runtime", boolean, "true", not_yet, "Enable zb runtime."},
    {"enable_zero_bubble", boolean, "true", not_yet, "Enable zero bubble."},
    {"interleave_group_size", integer, "0", not_yet, "Interleave group size."},
    {"num_seq_splits", integer, "1", not_yet, "Num seq splits."},
    {"offload", boolean, "false", not_yet, "Offload."},
    {"offload_chunk_num", integer, "0", not_yet, "Offload chunk num."},
    {"offload_ops", texts, "''", not_yet, "Offload ops."},
    {"offload_overlap_sr", boolean, "true", not_yet, "Offload overlap sr."},
    {"offload_time", number, "1.0", not_yet, "Offload time."},
    {"patch_primus_pipeline", boolean, "false", not_yet, "Patch primus pipeline."},
    {"patch_zero_bubble", boolean, "false", not_yet, "Patch zero bubble."},
    {"pp_algorithm", text, "'1f1b-interleaved'", not_yet, "Pp algorithm."},
    {"pp_cost_b", number, "null", not_yet, "Pp cost b.", {.null = true}},
    {"pp_cost_f", number, "null", not_yet, "Pp cost f.", {.null = true}},
    {"pp_cost_w", number, "null", not_yet, "Pp cost w.", {.null = true}},
    {"pp_max_mem", number, "null", not_yet, "Pp max mem.", {.null = true}},
    {"pp_warmup", boolean, "false", not_yet, "Pp warmup."},
    {"pre_communication_optimization", boolean, "false", not_yet, "Pre communication optimization."},
    {"zero_bubble_adaptive_memory_limit_percentile", integer, "85", not_yet,
     "Zero bubble adaptive memory limit percentile."},
    {"zero_bubble_max_pending_backward", text, "auto", not_yet, "Zero bubble max pending backward."},
    {"zero_bubble_pipeline_timers_end_iter", integer, "110", not_yet,
     "Zero bubble pipeline timers end iter."},
    {"zero_bubble_pipeline_timers_start_iter", integer, "100", not_yet,
     "Zero bubble pipeline timers start iter."},
    {"zero_bubble_v_schedule", boolean, "false", not_yet, "Zero bubble v schedule."},
    {"zero_bubble_v_schedule_mem_setup", text, "half", not_yet, "Zero bubble v schedule mem setup."},
};

}  // namespace primus::config::table
