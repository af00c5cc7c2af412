#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Fully sharded data parallelism.
// clang-format off: one row is one line, or a few.
inline constexpr Argument fsdp_arguments[] = {
    {"data_parallel_replicate_degree", integer, "1", not_yet,
     "Groups of ranks that each hold a whole copy of the sharded model."},
    {"data_parallel_sharding_strategy", text, "no_shard", not_yet,
     "What Megatron's FSDP shards: no_shard, optim, optim_grads or optim_grads_params.",
     {.choices = "no_shard|optim|optim_grads|optim_grads_params"}},
    {"enable_full_sharding_in_hsdp", boolean, "false", not_yet,
     "Shard optimizer states over the replicas too."},
    {"enable_odc", boolean, "false", not_yet, "Use Primus' on-demand communication in place of collectives."},
    {"enable_odc_lb_mini", boolean, "false", not_yet,
     "Balance work between ranks, with on-demand communication."},
    {"fsdp_double_buffer", boolean, "false", not_yet, "Use two fixed buffers for gathered parameters."},
    {"fsdp_manual_registration", boolean, "false", not_yet, "Register FSDP's buffers with NCCL by hand."},
    {"gradient_reduce_div_fusion", boolean, "true", not_yet,
     "Divide gradients inside of the reduction, in Megatron's FSDP."},
    {"init_model_with_meta_device", boolean, "false", not_yet,
     "Make the model without memory first, and fill it shard by shard."},
    {"keep_fp8_transpose_cache_when_using_custom_fsdp", boolean, "false", not_yet,
     "Former name of keep_fp8_transpose_cache."},
    {"lb_mini_cost_model", text, "null", not_yet,
     "How work is estimated when it is balanced between ranks.", {.null = true}},
    {"lb_mini_max_token_len", integer, "null", not_yet,
     "Tokens of one rank when work is balanced between ranks.", {.null = true}},
    {"megatron_fsdp_grad_comm_dtype", text, "fp32", not_yet,
     "Number format in which Megatron's FSDP reduces gradients.", {.choices = "fp32|fp16|bf16"}},
    {"megatron_fsdp_main_grads_dtype", text, "fp32", not_yet,
     "Number format of main gradients in Megatron's FSDP.", {.choices = "fp32|bf16|fp16"}},
    {"megatron_fsdp_main_params_dtype", text, "fp32", not_yet,
     "Number format of main parameters in Megatron's FSDP.", {.choices = "fp32|bf16|fp16"}},
    {"odc_gda_defer_reduce", text, "auto", not_yet, "Put off the reduction of on-demand communication."},
    {"odc_gda_pipe", integer, "1", not_yet, "Split transfers of on-demand communication into a pipeline."},
    {"odc_gda_rs_blocks", integer, "64", not_yet, "GPU blocks that scatter in on-demand communication."},
    {"odc_gda_stride_bytes", integer, "65536", not_yet, "Bytes between the pieces of an on-demand transfer."},
    {"odc_gda_warmup_mode", text, "strided", not_yet, "How on-demand communication warms up."},
    {"odc_grad_spike_threshold", number, "1000.0", not_yet,
     "Gradient norm beyond which on-demand communication reports a spike."},
    {"odc_max_buffer_size", integer, "67108864", not_yet, "Largest buffer of on-demand communication."},
    {"odc_mori_init", text, "pg", not_yet, "How on-demand communication starts its GPU library."},
    {"odc_p2p_backend", text, "mori", not_yet, "Library of on-demand communication."},
    {"odc_phase", integer, "2", not_yet, "Which phases use on-demand communication."},
    {"odc_rocshmem_gda", boolean, "false", not_yet,
     "Let GPUs drive the network directly in on-demand communication."},
    {"odc_rocshmem_lib", text, "null", not_yet, "Path of the rocSHMEM library.", {.null = true}},
    {"outer_dp_sharding_strategy", text, "no_shard", not_yet,
     "What is sharded across the outer data-parallel groups.", {.choices = "no_shard|optim"}},
    {"suggested_communication_unit_size", integer, "null", not_yet,
     "Bytes that Megatron's FSDP sends at a time.", {.preset = "400000000", .null = true}},
    {"torch_fsdp2_reshard_after_forward", boolean, "true", not_yet,
     "Free gathered parameters after the forward pass."},
    {"use_custom_fsdp", boolean, "false", not_yet, "Former name of use_megatron_fsdp."},
    {"use_fsdp2_bf16_master_weight_optimizer", boolean, "false", not_yet,
     "Keep bf16 main weights in FSDP2's optimizer."},
    {"use_fsdp2_fp32_param_optimizer", boolean, "false", not_yet,
     "Keep fp32 parameters in FSDP2's optimizer."},
    {"use_megatron_fsdp", boolean, "false", not_yet, "Use Megatron's fully sharded data parallelism."},
    {"use_torch_fsdp2", boolean, "false", not_yet, "Use PyTorch's fully sharded data parallelism."},
};
// clang-format on

}  // namespace primus::config::table
