#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Zero-bubble and Primus pipeline schedules.
// clang-format off: one row is one line, or a few.
inline constexpr Argument zero_bubble_arguments[] = {
    {"allow_padding_num_layers", boolean, "true", not_yet,
     "Pad the layers to a number that divides evenly, for V-shaped schedules."},
    {"auto_offload_time", boolean, "true", not_yet,
     "Estimate how long an offload takes from sizes and bandwidth."},
    {"communication_method", text, "async_p2p", not_yet, "How the Primus pipeline sends between stages."},
    {"cpu_offload", boolean, "false", not_yet,
     "Offload activations to host memory in group-interleaved schedules."},
    {"debug_scheduler_table", boolean, "false", not_yet, "Print the schedule of each rank."},
    {"enable_1f1b_v", boolean, "false", not_yet,
     "V-shaped placement of stages without split backward passes."},
    {"enable_exactly_numeric_match", boolean, "true", not_yet,
     "Keep results equal to those without post-validation."},
    {"enable_optimizer_post_validation", boolean, "false", not_yet,
     "Step the optimizer before all gradients are checked, and undo it if needed."},
    {"enable_zb_runtime", boolean, "true", not_yet,
     "Run zero-bubble schedules when patch_zero_bubble is on; false: Megatron's."},
    {"enable_zero_bubble", boolean, "true", not_yet,
     "Split the backward pass into input and weight gradients."},
    {"interleave_group_size", integer, "0", not_yet,
     "Micro-batches of a group in group-interleaved schedules; 0: none."},
    {"num_seq_splits", integer, "1", not_yet, "Parts that a sequence is split into along the pipeline."},
    {"offload", boolean, "false", not_yet, "Offload activations in the Primus pipeline."},
    {"offload_chunk_num", integer, "0", not_yet, "Chunks whose activations are offloaded."},
    {"offload_ops", texts, "''", not_yet, "Operations whose activations are offloaded."},
    {"offload_overlap_sr", boolean, "true", not_yet, "Overlap offloading with sends and receives."},
    {"offload_time", number, "1.0", not_yet, "Time of one offload, as a multiple of a forward pass."},
    {"patch_primus_pipeline", boolean, "false", not_yet,
     "Run the schedules of the Primus pipeline, chosen by pp_algorithm."},
    {"patch_zero_bubble", boolean, "false", not_yet, "Run zero-bubble schedules."},
    {"pp_algorithm", text, "'1f1b-interleaved'", not_yet, "Schedule of the Primus pipeline."},
    {"pp_cost_b", number, "null", not_yet,
     "Assumed time of an input gradient, for schedules that are searched for.", {.null = true}},
    {"pp_cost_f", number, "null", not_yet,
     "Assumed time of a forward pass, for schedules that are searched for.", {.null = true}},
    {"pp_cost_w", number, "null", not_yet,
     "Assumed time of a weight gradient, for schedules that are searched for.", {.null = true}},
    {"pp_max_mem", number, "null", not_yet,
     "Activations that a stage may hold, for schedules that are searched for.", {.null = true}},
    {"pre_communication_optimization", boolean, "false", not_yet,
     "Send a tiny tensor ahead, so that ranks start sending together."},
    {"zero_bubble_adaptive_memory_limit_percentile", integer, "85", not_yet,
     "Share of memory, in percent, that schedules may fill."},
    {"zero_bubble_max_pending_backward", text, "auto", not_yet,
     "Activations that a stage may hold; auto: from measured memory."},
    {"zero_bubble_pipeline_timers_end_iter", integer, "110", not_yet,
     "Last iteration that is timed for the schedule."},
    {"zero_bubble_pipeline_timers_start_iter", integer, "100", not_yet,
     "First iteration that is timed for the schedule."},
    {"zero_bubble_v_schedule", boolean, "false", not_yet, "Place stages in a V and split backward passes."},
    {"zero_bubble_v_schedule_mem_setup", text, "half", not_yet,
     "Memory of the V schedule: zb (full), half or min."},
};
// clang-format on

}  // namespace primus::config::table
