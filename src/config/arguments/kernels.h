#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Kernel and fusion switches.
// clang-format off: one row is one line, or a few.
inline constexpr Argument kernels_arguments[] = {
    {"apply_rope_fusion", boolean, "true", implemented, "Use a fused kernel for the rotary embedding."},
    {"attention_backend", text, "auto", gpu_kernels,
     "Kernel of the attention: auto, flash, fused, unfused or local.",
     {.choices = "flash|fused|unfused|local|auto"}},
    {"batch_invariant_mode", boolean, "false", gpu_kernels,
     "Use kernels whose results do not depend on the batch."},
    {"bias_dropout_fusion", boolean, "true", implemented, "Fuse bias, dropout and residual."},
    {"bias_gelu_fusion", boolean, "true", implemented,
     "Fuse bias and GELU, which takes GELU's tanh form; off without add_bias_linear.",
     {.when = "!swiglu and !quick_geglu and !squared_relu and add_bias_linear"}},
    {"bias_swiglu_fusion", boolean, "true", implemented, "Fuse bias and gated activation.",
     {.when = "swiglu or quick_geglu"}},
    {"cross_entropy_fusion_impl", text, "native", gpu_kernels,
     "Which fused loss: native or te.", {.choices = "native|te"}},
    {"cross_entropy_loss_fusion", boolean, "false", implemented,
     "Compute the loss in one pass that never holds all logits."},
    {"cuda_graph_impl", text, "none", gpu_kernels,
     "What captures CUDA graphs: none, local or transformer_engine.",
     {.choices = "none|local|transformer_engine"}},
    {"cuda_graph_scope", texts, "[]", gpu_kernels, "Parts that CUDA graphs capture.", {.preset = "full"}},
    {"cuda_graph_warmup_steps", integer, "3", gpu_kernels, "Iterations before CUDA graphs are captured."},
    {"deterministic_mode", boolean, "false", not_yet,
     "Refuse everything whose result could differ from run to run."},
    {"disable_compile_dependencies", boolean, "true", python_only,
     "Do not compile Megatron's helper code at start."},
    {"disable_jit_fuser", boolean, "false", gpu_kernels, "Do not fuse operations with PyTorch's compiler."},
    {"enable_cuda_graph", boolean, "false", gpu_kernels, "Former switch for CUDA graphs."},
    {"external_cuda_graph", boolean, "false", gpu_kernels,
     "Former switch for Transformer Engine's CUDA graphs."},
    {"masked_softmax_fusion", boolean, "true", gpu_kernels, "Fuse scale, mask and softmax."},
    {"no_persist_layer_norm", boolean, "false", gpu_kernels, "Do not use the persistent norm kernel."},
    {"torch_compile", map, "{backend: inductor, enable: false, fullgraph: false, mode: default}", python_only,
     "Settings of torch.compile."},
    {"transformer_impl", text, "transformer_engine", gpu_kernels,
     "Library of the layers: local, transformer_engine or inference_optimized.",
     {.choices = "local|transformer_engine|inference_optimized"}},
    {"use_flash_attn", boolean, "false", gpu_kernels, "Use flash attention.", {.preset = "true"}},
    {"use_fused_weighted_squared_relu", boolean, "false", gpu_kernels,
     "Fuse squared ReLU and routing weight."},
    {"use_te_activation_func", boolean, "false", gpu_kernels, "Use Transformer Engine's activation kernel."},
};
// clang-format on

}  // namespace primus::config::table
