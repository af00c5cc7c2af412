#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Primus Turbo kernels.
// clang-format off: one row is one line, or a few.
inline constexpr Argument turbo_arguments[] = {
    {"disable_delayed_scaling_patches", boolean, "false", not_yet,
     "Keep Transformer Engine's own delayed scaling.", {.when = "fp8"}},
    {"enable_primus_turbo", boolean, "false", implemented,
     "Allow the fast kernels; the use_turbo_* switches choose which."},
    {"enable_turbo_attention_float8", boolean, "false", not_yet, "Run Turbo attention in fp8."},
    {"enable_turbo_gemm_float8", boolean, "false", unsupported("it was removed: use fp8 and use_turbo_gemm"),
     "Former switch of Turbo's fp8 products."},
    {"turbo_deepep_num_cu", integer, "32", gpu_tuning, "Compute units that Turbo DeepEP takes.",
     {.when = "num_experts"}},
    {"turbo_deepep_use_comm_stream", boolean, "false", gpu_tuning, "Run Turbo DeepEP on a stream of its own.",
     {.when = "num_experts"}},
    {"turbo_gemm_backend", text, "default", gpu_kernels, "Library of Turbo's matrix products."},
    {"turbo_grouped_gemm_backend", text, "default", gpu_kernels,
     "Library of Turbo's grouped matrix products.",
     {.when = "num_experts"}},
    {"turbo_grouped_gemm_without_padding", boolean, "false", not_yet,
     "Do without padding in front of Turbo's grouped products.", {.when = "num_experts"}},
    {"turbo_mega_moe_precision", text, "bf16", not_yet, "Number format of the one-kernel expert layer.",
     {.when = "use_turbo_mega_moe"}},
    {"turbo_sync_free_moe_stage", integer, "0", not_yet,
     "How far expert layers avoid waiting for the GPU: 0 off, to 3.",
     {.range = not_negative, .when = "num_experts"}},
    {"use_turbo_attention", boolean, "false", implemented,
     "Use the fast attention, which never holds a matrix of scores."},
    {"use_turbo_autotune", boolean, "false", gpu_kernels, "Let Turbo try kernels and keep the fastest."},
    {"use_turbo_deepep", boolean, "false", not_yet, "Dispatch tokens with Turbo's DeepEP.",
     {.when = "num_experts"}},
    {"use_turbo_fused_act_with_probs", boolean, "false", not_yet, "Fuse activation and routing weight.",
     {.when = "num_experts"}},
    {"use_turbo_gemm", boolean, "false", implemented, "Use the fast matrix products."},
    {"use_turbo_grouped_gemm", boolean, "false", not_yet, "Use Turbo's grouped matrix products for experts.",
     {.when = "num_experts"}},
    {"use_turbo_grouped_mlp", boolean, "false", unsupported("it was removed: use use_turbo_grouped_gemm"),
     "Former switch of Turbo's expert layer."},
    {"use_turbo_mega_moe", boolean, "false", not_yet, "Use Turbo's expert layer in one kernel.",
     {.when = "num_experts"}},
    {"use_turbo_norm_te_linear", boolean, "false", not_yet,
     "Use Turbo's norm in front of Transformer Engine's linear layer."},
    {"use_turbo_parallel_linear", boolean, "false", unsupported("it was removed: use use_turbo_gemm"),
     "Former switch of Turbo's linear layers."},
    {"use_turbo_permute_padding", boolean, "false", not_yet, "Pad while tokens are sorted by expert.",
     {.when = "num_experts"}},
    {"use_turbo_rms_norm", boolean, "false", implemented, "Use the fast norms."},
};
// clang-format on

}  // namespace primus::config::table
