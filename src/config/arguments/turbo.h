#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Primus Turbo kernels.
inline constexpr Argument turbo_arguments[] = {
    {"disable_delayed_scaling_patches", boolean, "false", not_yet, "Disable delayed scaling patches."},
    {"enable_primus_turbo", boolean, "false", implemented, "Enable primus turbo."},
    {"enable_turbo_attention_float8", boolean, "false", not_yet, "Enable turbo attention float8."},
    {"turbo_deepep_num_cu", integer, "32", not_yet, "Turbo deepep num cu."},
    {"turbo_deepep_use_comm_stream", boolean, "false", not_yet, "Turbo deepep use comm stream."},
    {"turbo_gemm_backend", text, "default", not_yet, "Turbo gemm backend."},
    {"turbo_grouped_gemm_backend", text, "default", not_yet, "Turbo grouped gemm backend."},
    {"turbo_grouped_gemm_without_padding", boolean, "false", not_yet, "Turbo grouped gemm without padding."},
    {"turbo_mega_moe_precision", text, "bf16", not_yet, "Turbo mega moe precision."},
    {"turbo_sync_free_moe_stage", integer, "0", not_yet, "Turbo sync free moe stage."},
    {"use_turbo_attention", boolean, "false", not_yet, "Use turbo attention."},
    {"use_turbo_autotune", boolean, "false", not_yet, "Use turbo autotune."},
    {"use_turbo_deepep", boolean, "false", not_yet, "Use turbo deepep."},
    {"use_turbo_fused_act_with_probs", boolean, "false", not_yet, "Use turbo fused act with probs."},
    {"use_turbo_gemm", boolean, "false", not_yet, "Use turbo gemm."},
    {"use_turbo_grouped_gemm", boolean, "false", not_yet, "Use turbo grouped gemm."},
    {"use_turbo_mega_moe", boolean, "false", not_yet, "Use turbo mega moe."},
    {"use_turbo_norm_te_linear", boolean, "false", not_yet, "Use turbo norm te linear."},
    {"use_turbo_permute_padding", boolean, "false", not_yet, "Use turbo permute padding."},
    {"use_turbo_rms_norm", boolean, "false", not_yet, "Use turbo rms norm."},
};

}  // namespace primus::config::table
