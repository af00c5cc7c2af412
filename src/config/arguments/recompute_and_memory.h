#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Recomputation and memory.
inline constexpr Argument recompute_and_memory_arguments[] = {
    {"checkpoint_activations", boolean, "false", not_yet, "Checkpoint activations."},
    {"clone_scatter_output_in_embedding", boolean, "true", not_yet, "Clone scatter output in embedding."},
    {"cpu_offloading_num_layers", integer, "0", not_yet, "Cpu offloading num layers."},
    {"distribute_saved_activations", boolean, "false", not_yet, "Distribute saved activations."},
    {"empty_cache_interval", integer, "null", gpu_tuning, "Empty cache interval.", {.null = true}},
    {"empty_unused_memory_level",
     integer,
     "0",
     gpu_tuning,
     "Empty unused memory level.",
     {.choices = "0|1|2"}},
    {"fine_grained_activation_offloading", boolean, "false", not_yet, "Fine grained activation offloading."},
    {"manual_gc", boolean, "false", python_only, "Manual gc."},
    {"manual_gc_eval", boolean, "true", python_only, "Manual gc eval.", {.preset = "false"}},
    {"manual_gc_interval", integer, "0", python_only, "Manual gc interval.", {.preset = "1"}},
    {"min_offloaded_tensor_size", integer, "1048576", not_yet, "Min offloaded tensor size."},
    {"offload_modules", texts, "[]", not_yet, "Offload modules."},
    {"recompute_activations", boolean, "false", not_yet, "Recompute activations."},
    {"recompute_granularity",
     text,
     "null",
     not_yet,
     "Recompute granularity.",
     {.null = true, .choices = "full|selective"}},
    {"recompute_layer_ids", integers, "null", not_yet, "Recompute layer ids.", {.null = true}},
    {"recompute_method",
     text,
     "null",
     not_yet,
     "Recompute method.",
     {.null = true, .choices = "uniform|block"}},
    {"recompute_modules", texts, "null", not_yet, "Recompute modules.", {.null = true}},
    {"recompute_num_layers", integer, "null", not_yet, "Recompute num layers.", {.null = true}},
};

}  // namespace primus::config::table
