#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Pipeline layout.
// clang-format off: one row is one line, or a few.
inline constexpr Argument pipeline_layout_arguments[] = {
    {"account_for_embedding_in_pipeline_split", boolean, "false", not_yet,
     "Count the embedding as a layer when layers are spread over stages."},
    {"account_for_loss_in_pipeline_split", boolean, "false", not_yet,
     "Count the output layer as a layer when layers are spread over stages."},
    {"decoder_first_pipeline_num_layers", integer, "null", not_yet,
     "Layers of the first stage; the others share the rest evenly.", {.null = true}},
    {"decoder_last_pipeline_num_layers", integer, "null", not_yet,
     "Layers of the last stage; the others share the rest evenly.", {.null = true}},
    {"decoder_pipeline_manual_split_list", integers, "null", not_yet,
     "Layers of each stage, one number a stage.", {.null = true}},
    {"defer_embedding_wgrad_compute", boolean, "false", not_yet,
     "Put the output layer's weight gradient off until the pipeline drains."},
    {"delay_wgrad_compute", boolean, "false", not_yet,
     "Compute weight gradients apart from input gradients."},
    {"microbatch_group_size_per_vp_stage", integer, "null", not_yet,
     "Micro-batches that a virtual stage handles in a row; null: the pipeline size.",
     {.null = true, .range = positive}},
    {"num_layers_per_virtual_pipeline_stage", integer, "null", not_yet,
     "Layers of a virtual stage; makes the schedule interleaved.", {.null = true, .range = positive}},
    {"num_virtual_stages_per_pipeline_rank", integer, "null", not_yet,
     "Virtual stages on each rank; makes the schedule interleaved.",
     {.null = true, .range = positive}},
    {"overlap_p2p_comm", boolean, "true", not_yet,
     "Overlap sends and receives between stages with work; for interleaved schedules."},
    {"overlap_p2p_comm_warmup_flush", boolean, "false", not_yet,
     "Overlap them while the pipeline fills and drains too."},
    {"pipeline_model_parallel_comm_backend", text, "null", not_yet,
     "Library for communication between stages: nccl or ucc.", {.null = true, .choices = "nccl|ucc"}},
    {"pipeline_model_parallel_layout", text, "null", not_yet,
     "Layers of each stage as text: E embedding, t layer, m extra prediction, L loss, | next stage.",
     {.null = true}},
    {"pipeline_model_parallel_split_rank", integer, "null", not_yet,
     "Former first stage of a decoder beside an encoder.", {.null = true}},
    {"pp_warmup", boolean, "false", not_yet,
     "Run every stage once before the first iteration, to warm up kernels."},
    {"scatter_gather_tensors_in_pipeline", boolean, "true", no_effect("Megatron itself no longer reads it"),
     "Former switch that split tensors between stages."},
    {"standalone_embedding_stage", boolean, "false", not_yet, "Give the embedding a stage of its own."},
    {"use_ring_exchange_p2p", boolean, "false", not_yet,
     "Use a patched PyTorch's ring exchange between stages."},
    {"virtual_pipeline_model_parallel_size", integer, "null", no_effect("it is derived: set num_virtual_stages_per_pipeline_rank"),
     "Virtual stages on each rank; derived, what is set here is discarded.", {.null = true}},
    {"wgrad_deferral_limit", integer, "0", not_yet,
     "Micro-batches whose output-layer weight gradient is put off; 0: all."},
};
// clang-format on

}  // namespace primus::config::table
