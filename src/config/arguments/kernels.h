#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Kernel and fusion switches.
inline constexpr Argument kernels_arguments[] = {
    {"apply_rope_fusion", boolean, "true", gpu_kernels, "Apply rope fusion."},
    {"attention_backend",
     text,
     "auto",
     gpu_kernels,
     "Attention backend.",
     {.choices = "flash|fused|unfused|local|auto"}},
    {"batch_invariant_mode", boolean, "false", gpu_kernels, "Batch invariant mode."},
    {"bias_dropout_fusion", boolean, "true", gpu_kernels, "Bias dropout fusion."},
    {"bias_gelu_fusion", boolean, "true", gpu_kernels, "Bias gelu fusion."},
    {"bias_swiglu_fusion", boolean, "true", gpu_kernels, "Bias swiglu fusion."},
    {"cross_entropy_fusion_impl",
     text,
     "native",
     gpu_kernels,
     "Cross entropy fusion impl.",
     {.choices = "native|te"}},
    {"cross_entropy_loss_fusion", boolean, "false", gpu_kernels, "Cross entropy loss fusion."},
    {"cuda_graph_impl",
     text,
     "none",
     gpu_kernels,
     "Cuda graph impl.",
     {.choices = "none|local|transformer_engine"}},
    {"cuda_graph_scope", texts, "[]", gpu_kernels, "Cuda graph scope.", {.preset = "full"}},
    {"cuda_graph_warmup_steps", integer, "3", gpu_kernels, "Cuda graph warmup steps."},
    {"deterministic_mode", boolean, "false", not_yet, "Deterministic mode."},
    {"disable_compile_dependencies", boolean, "true", python_only, "Disable compile dependencies."},
    {"disable_jit_fuser", boolean, "false", gpu_kernels, "Disable jit fuser."},
    {"enable_cuda_graph", boolean, "false", gpu_kernels, "Enable cuda graph."},
    {"external_cuda_graph", boolean, "false", gpu_kernels, "External cuda graph."},
    {"masked_softmax_fusion", boolean, "true", gpu_kernels, "Masked softmax fusion."},
    {"no_persist_layer_norm", boolean, "false", gpu_kernels, "No persist layer norm."},
    {"torch_compile", map, "{backend: inductor, enable: false, fullgraph: false, mode: default}", python_only,
     "Torch compile."},
    {"transformer_impl",
     text,
     "transformer_engine",
     gpu_kernels,
     "Transformer impl.",
     {.choices = "local|transformer_engine|inference_optimized"}},
    {"use_flash_attn", boolean, "false", gpu_kernels, "Use flash attn.", {.preset = "true"}},
    {"use_fused_weighted_squared_relu", boolean, "false", gpu_kernels, "Use fused weighted squared relu."},
    {"use_te_activation_func", boolean, "false", gpu_kernels, "Use te activation func."},
};

}  // namespace primus::config::table
