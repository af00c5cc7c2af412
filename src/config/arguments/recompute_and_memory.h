#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Recomputation and memory.
// clang-format off: one row is one line, or a few.
inline constexpr Argument recompute_and_memory_arguments[] = {
    {"checkpoint_activations", boolean, "false", not_yet,
     "Former switch for recomputation, no longer valid; use recompute_activations."},
    {"clone_scatter_output_in_embedding", boolean, "true", gpu_tuning,
     "Copy the scattered embedding, so that the whole one can be freed."},
    {"cpu_offloading_num_layers", integer, "0", not_yet,
     "Layers whose activations are offloaded to host memory."},
    {"distribute_saved_activations", boolean, "false", not_yet,
     "Spread the saved inputs of recomputed layers over the tensor-parallel ranks."},
    {"empty_cache_interval", integer, "null", gpu_tuning,
     "Iterations between two releases of unused GPU memory.", {.null = true}},
    {"empty_unused_memory_level", integer, "0", gpu_tuning,
     "Release unused GPU memory each iteration: 0 never, 1 after, 2 before and after the optimizer.",
     {.choices = "0|1|2"}},
    {"fine_grained_activation_offloading", boolean, "false", not_yet,
     "Offload activations of chosen parts of a layer."},
    {"manual_gc", boolean, "false", python_only, "Run Python's garbage collector at set iterations."},
    {"manual_gc_eval", boolean, "true", python_only,
     "Run Python's garbage collector around evaluations.", {.preset = "false"}},
    {"manual_gc_interval", integer, "0", python_only,
     "Iterations between two runs of Python's garbage collector.", {.preset = "1"}},
    {"min_offloaded_tensor_size", integer, "1048576", not_yet,
     "Smallest activation, in elements, that is offloaded.", {.when = "fine_grained_activation_offloading"}},
    {"offload_modules", texts, "[]", not_yet, "Parts of a layer whose activations are offloaded.",
     {.when = "fine_grained_activation_offloading"}},
    {"recompute_activations", boolean, "false", not_yet,
     "Recompute the attention core: the same as recompute_granularity selective."},
    {"recompute_granularity", text, "null", not_yet,
     "What is recomputed in the backward pass: full layers, or selective parts; null: nothing.",
     {.null = true, .choices = "full|selective"}},
    {"recompute_layer_ids", integers, "null", not_yet,
     "Layers to recompute, by number from 0.",
     {.null = true, .when = "recompute_granularity or recompute_activations"}},
    {"recompute_method", text, "null", not_yet,
     "Which layers are recomputed: uniform groups, or the first block of each stage.",
     {.null = true, .choices = "uniform|block", .when = "recompute_granularity or recompute_activations"}},
    {"recompute_modules", texts, "null", not_yet,
     "Parts of a layer to recompute, with granularity selective.",
     {.null = true, .when = "recompute_granularity or recompute_activations"}},
    {"recompute_num_layers", integer, "null", not_yet,
     "Layers in a uniform group, or layers of each stage to recompute.",
     {.null = true, .when = "recompute_granularity or recompute_activations"}},
};
// clang-format on

}  // namespace primus::config::table
