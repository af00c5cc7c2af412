// The rules that arguments must keep together, by subject: Megatron's `validate_args` and Primus' additions.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "config/derive.h"

namespace primus::config {

namespace {

/// Collects broken rules. `Name` is the argument whose place the message gives.
class Rules {
 public:
  Rules(const Arguments& arguments, const RunContext& context, std::vector<Problem>& problems)
      : a(arguments), context_(context), problems_(problems) {}

  void check_all() {
    deprecated();
    layout();
    batch();
    length_of_run();
    model();
    pipeline();
    data_parallel();
    precision();
    checkpoint();
    experts();
    data();
    optimizer();
    recompute();
    determinism();
    fsdp();
    turbo();
  }

 private:
  template <ArgumentName Name>
  void require(bool holds, const std::string& message) {
    if (!holds) problems_.push_back({Problem::Kind::rule, a.where<Name>(), message});
  }

  template <ArgumentName Name>
  void removed(std::string_view use_instead) {
    require<Name>(a.value(Name.view()).is_null(),
                  fmt::format("'{}' is no longer valid: use '{}'", Name.view(), use_instead));
  }

  void deprecated() {
    removed<"batch_size">("micro_batch_size");
    removed<"warmup">("lr_warmup_fraction");
    removed<"model_parallel_size">("tensor_model_parallel_size");
    require<"checkpoint_activations">(
        !a.get<"checkpoint_activations">(),
        "'checkpoint_activations' is no longer valid: use 'recompute_activations'");
  }

  void layout() {
    const std::int64_t tensor = a.get<"tensor_model_parallel_size">();
    const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
    const std::int64_t context = a.get<"context_parallel_size">();
    if (tensor < 1 || pipeline < 1 || context < 1) return;  // reported by the argument's own check
    const std::int64_t model = tensor * pipeline * context;
    require<"tensor_model_parallel_size">(context_.world_size % model == 0,
                                          fmt::format("the world size ({}) is not divisible by tensor x "
                                                      "pipeline x context parallel size ({} x {} x {} = {})",
                                                      context_.world_size, tensor, pipeline, context, model));
    if (context > 1) {
      require<"seq_length">(
          a.get<"seq_length">() % (2 * context) == 0,
          fmt::format("'seq_length' ({}) must be a multiple of twice 'context_parallel_size' ({})",
                      a.get<"seq_length">(), context));
    }
    const auto sizes = a.get<"hierarchical_context_parallel_sizes">();
    const auto product = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
    require<"hierarchical_context_parallel_sizes">(
        sizes.empty() || product == context,
        fmt::format(
            "the product of 'hierarchical_context_parallel_sizes' ({}) must be 'context_parallel_size' ({})",
            product, context));
    const auto kinds = a.get<"cp_comm_type">();
    require<"cp_comm_type">(!sizes.empty() || std::find(kinds.begin(), kinds.end(), "a2a+p2p") == kinds.end(),
                            "'cp_comm_type: a2a+p2p' needs 'hierarchical_context_parallel_sizes'");
  }

  void batch() {
    const std::int64_t micro = a.get<"micro_batch_size">();
    require<"micro_batch_size">(micro > 0,
                                fmt::format("'micro_batch_size' must be greater than 0; it is {}", micro));
    const auto global = a.get<"global_batch_size">();
    if (micro < 1 || !global) return;
    require<"global_batch_size">(
        *global > 0, fmt::format("'global_batch_size' must be greater than 0; it is {}", *global));
    const std::int64_t model = a.get<"tensor_model_parallel_size">() *
                               a.get<"pipeline_model_parallel_size">() * a.get<"context_parallel_size">();
    if (*global < 1 || model < 1 || context_.world_size % model != 0) return;
    const std::int64_t data_parallel = context_.world_size / model;
    const std::int64_t one_step = micro * data_parallel;
    const bool may_round = a.get<"decrease_batch_size_if_needed">() && *global >= one_step;
    require<"global_batch_size">(
        may_round || *global % one_step == 0,
        fmt::format("the global batch size ({}) is not divisible by the micro batch size ({}) times the "
                    "data-parallel "
                    "size ({}): take {} or {}, or set 'decrease_batch_size_if_needed: true'",
                    *global, micro, data_parallel, std::max(*global / one_step, std::int64_t{1}) * one_step,
                    (*global / one_step + 1) * one_step));
    ramp_up(*global, one_step);
  }

  void ramp_up(std::int64_t global, std::int64_t one_step) {
    const auto ramp = a.get<"rampup_batch_size">();
    if (ramp.empty()) return;
    const bool shape = ramp.size() == 3 && ramp[0] > 0 && ramp[1] > 0 && ramp[2] >= 0;
    require<"rampup_batch_size">(shape,
                                 "'rampup_batch_size' takes three positive integers: [start, step, samples]");
    if (!shape) return;
    require<"rampup_batch_size">(
        ramp[0] <= global && (global - ramp[0]) % ramp[1] == 0,
        fmt::format("'rampup_batch_size' cannot get from {} to 'global_batch_size' ({}) in steps of {}",
                    ramp[0], global, ramp[1]));
    require<"rampup_batch_size">(
        ramp[0] % one_step == 0 && ramp[1] % one_step == 0,
        fmt::format("start and step of 'rampup_batch_size' must be multiples of the micro-batch "
                    "size times the data-parallel size ({})",
                    one_step));
  }

  void length_of_run() {
    const bool iterations = a.get<"train_iters">().value_or(0) != 0;
    const bool samples = a.get<"train_samples">().value_or(0) != 0;
    if (iterations) {
      require<"train_samples">(!a.get<"train_samples">(),
                               "'train_samples' and 'train_iters' are both set: set one of them to null");
      require<"lr_decay_samples">(!a.get<"lr_decay_samples">(),
                                  "'lr_decay_samples' goes with 'train_samples'; use 'lr_decay_iters'");
      require<"lr_warmup_samples">(a.get<"lr_warmup_samples">() == 0,
                                   "'lr_warmup_samples' goes with 'train_samples'; use 'lr_warmup_iters'");
      require<"rampup_batch_size">(a.get<"rampup_batch_size">().empty(),
                                   "'rampup_batch_size' goes with 'train_samples', not with 'train_iters'");
      if (a.get<"lr_warmup_fraction">()) {
        require<"lr_warmup_fraction">(
            a.get<"lr_warmup_iters">() == 0,
            "'lr_warmup_fraction' and 'lr_warmup_iters' are both set: set the latter to 0");
      }
    } else if (samples) {
      require<"lr_decay_iters">(!a.get<"lr_decay_iters">(),
                                "'lr_decay_iters' goes with 'train_iters'; use 'lr_decay_samples'");
      require<"lr_warmup_iters">(
          a.get<"lr_warmup_iters">() == 0,
          "'lr_warmup_iters' goes with 'train_iters'; set it to 0 and use 'lr_warmup_samples'");
      if (a.get<"lr_warmup_fraction">()) {
        require<"lr_warmup_fraction">(
            a.get<"lr_warmup_samples">() == 0,
            "'lr_warmup_fraction' and 'lr_warmup_samples' are both set: set the latter to 0");
      }
    }
  }

  void model() {
    const std::int64_t heads = a.get<"num_attention_heads">();
    const std::int64_t hidden = a.get<"hidden_size">();
    require<"num_attention_heads">(heads > 0, "'num_attention_heads' must be greater than 0");
    require<"hidden_size">(hidden > 0, "'hidden_size' must be greater than 0");
    require<"num_attention_heads">(
        a.get<"kv_channels">() || heads < 1 || hidden % heads == 0,
        fmt::format("'hidden_size' ({}) is not divisible by 'num_attention_heads' ({}): set 'kv_channels'",
                    hidden, heads));
    require<"encoder_num_layers">(
        !a.get<"encoder_num_layers">(),
        "'num_layers' and 'encoder_num_layers' are both set: set the latter to null");
    require<"encoder_seq_length">(
        !a.get<"encoder_seq_length">(),
        "'seq_length' and 'encoder_seq_length' are both set: set the latter to null");
    require<"max_position_embeddings">(
        a.get<"max_position_embeddings">() >= a.get<"seq_length">(),
        fmt::format("'max_position_embeddings' ({}) must be at least 'seq_length' ({})",
                    a.get<"max_position_embeddings">(), a.get<"seq_length">()));
    const bool rope =
        a.get<"position_embedding_type">() == "rope" || a.get<"use_rotary_position_embeddings">();
    require<"position_embedding_type">(
        rope || a.get<"add_position_embedding">(),
        "'position_embedding_type' other than rope needs 'add_position_embedding: true'");
    require<"mrope_section">(
        a.get<"position_embedding_type">() != "mrope" || !a.get<"mrope_section">().empty(),
        "'position_embedding_type: mrope' needs 'mrope_section'");
    if (a.get<"mtp_num_layers">().value_or(0) > 0) {
      require<"mtp_num_layers">(rope || a.get<"position_embedding_type">() == "none",
                                "multi-token prediction needs 'position_embedding_type' rope or none");
    }
    require<"multi_latent_attention">(
        !a.get<"multi_latent_attention">() || !a.get<"group_query_attention">(),
        "'multi_latent_attention' and 'group_query_attention' exclude each other");
    require<"squared_relu">(!a.get<"squared_relu">() || !a.get<"swiglu">(),
                            "'squared_relu' and 'swiglu' exclude each other");
    require<"quick_geglu">(!a.get<"quick_geglu">() || !a.get<"swiglu">(),
                           "'quick_geglu' and 'swiglu' exclude each other");
  }

  void pipeline() {
    const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
    if (pipeline < 1) return;
    const auto layout = a.get<"pipeline_model_parallel_layout">();
    const auto stages = a.get<"num_virtual_stages_per_pipeline_rank">();
    const auto layers = a.get<"num_layers_per_virtual_pipeline_stage">();
    require<"num_virtual_stages_per_pipeline_rank">(
        layout.has_value() + stages.has_value() + layers.has_value() <= 1,
        "set at most one of 'num_layers_per_virtual_pipeline_stage', 'num_virtual_stages_per_pipeline_rank' "
        "and "
        "'pipeline_model_parallel_layout'");
    if (layout) {
      const auto count = stages_of_layout(*layout);
      require<"pipeline_model_parallel_layout">(
          count && *count % pipeline == 0,
          fmt::format("the stages of 'pipeline_model_parallel_layout' ({}) must be a multiple of "
                      "'pipeline_model_parallel_size' ({})",
                      count ? fmt::format("{}", *count) : "not readable", pipeline));
    } else {
      layer_split(pipeline, layers);
    }
    if (virtual_stages(a) > 1) {
      require<"pipeline_model_parallel_size">(
          pipeline > 1, "an interleaved schedule needs 'pipeline_model_parallel_size' above 1");
      require<"overlap_p2p_comm">(a.get<"overlap_p2p_comm">() || pipeline > 2,
                                  "an interleaved schedule without 'overlap_p2p_comm' needs "
                                  "'pipeline_model_parallel_size' above 2");
    }
  }

  void layer_split(std::int64_t pipeline, std::optional<std::int64_t> layers_per_virtual_stage) {
    const bool uneven =
        a.get<"decoder_first_pipeline_num_layers">() || a.get<"decoder_last_pipeline_num_layers">() ||
        !a.get<"decoder_pipeline_manual_split_list">().empty() || a.get<"hybrid_override_pattern">() ||
        a.get<"hybrid_layer_pattern">() || a.get<"num_virtual_stages_per_pipeline_rank">();
    if (uneven) return;
    const std::int64_t total = a.get<"num_layers">() + a.get<"account_for_embedding_in_pipeline_split">() +
                               a.get<"account_for_loss_in_pipeline_split">();
    require<"num_layers">(
        total % pipeline == 0,
        fmt::format("the number of layers ({}) is not divisible by 'pipeline_model_parallel_size' ({}): "
                    "change one of them, or split unevenly with 'decoder_first_pipeline_num_layers', "
                    "'decoder_last_pipeline_num_layers' or 'pipeline_model_parallel_layout'",
                    total, pipeline));
    if (layers_per_virtual_stage && total % pipeline == 0) {
      require<"num_layers_per_virtual_pipeline_stage">(
          *layers_per_virtual_stage > 0 && total / pipeline % *layers_per_virtual_stage == 0,
          fmt::format("the layers on a pipeline rank ({}) are not divisible by "
                      "'num_layers_per_virtual_pipeline_stage'",
                      total / pipeline));
    }
  }

  void data_parallel() {
    if (a.get<"overlap_param_gather">()) {
      require<"overlap_param_gather">(a.get<"use_distributed_optimizer">() || a.get<"use_megatron_fsdp">() ||
                                          a.get<"optimizer">() == "dist_muon",
                                      "'overlap_param_gather' needs 'use_distributed_optimizer: true'");
      require<"overlap_param_gather">(a.get<"overlap_grad_reduce">(),
                                      "'overlap_param_gather' needs 'overlap_grad_reduce: true'");
    }
    if (a.get<"overlap_param_gather_with_optimizer_step">()) {
      require<"overlap_param_gather_with_optimizer_step">(
          a.get<"use_distributed_optimizer">() && a.get<"overlap_param_gather">() && virtual_stages(a) > 1 &&
              a.get<"ckpt_format">() == "torch",
          "'overlap_param_gather_with_optimizer_step' needs the distributed optimizer, "
          "'overlap_param_gather', an "
          "interleaved schedule and 'ckpt_format: torch'");
    }
    require<"enable_gloo_process_groups">(a.get<"enable_gloo_process_groups">() ||
                                              !a.get<"use_distributed_optimizer">() ||
                                              a.get<"ckpt_format">() != "torch",
                                          "the distributed optimizer without gloo groups needs a distributed "
                                          "'ckpt_format', such as torch_dist");
    require<"tp_comm_overlap">(
        !a.get<"tp_comm_overlap">() || a.get<"sequence_parallel">(),
        "'tp_comm_overlap' needs 'sequence_parallel' and 'tensor_model_parallel_size' above 1");
  }

  void precision() {
    require<"fp16">(!a.get<"fp16">() || !a.get<"bf16">(),
                    "'fp16' and 'bf16' are both true: set one of them to false");
    const bool mixed = a.get<"fp16">() || a.get<"bf16">();
    require<"fp32_residual_connection">(!a.get<"fp32_residual_connection">() || mixed,
                                        "'fp32_residual_connection' needs 'fp16' or 'bf16'");
    require<"fp16_lm_cross_entropy">(!a.get<"fp16_lm_cross_entropy">() || a.get<"fp16">(),
                                     "'fp16_lm_cross_entropy' needs 'fp16'");
    require<"main_grads_dtype">(!a.get<"bf16">() || !a.get<"accumulate_allreduce_grads_in_fp32">() ||
                                    a.get<"main_grads_dtype">() == "fp32",
                                "'accumulate_allreduce_grads_in_fp32' needs 'main_grads_dtype: fp32'");
    require<"fp4">(!a.get<"fp4">() || !a.get<"fp8">(),
                   "'fp4' and 'fp8' are both set: set one of them to null");
    require<"fp4_param">(!a.get<"fp4_param">() || a.get<"fp4">(), "'fp4_param' needs 'fp4'");
    require<"fp8_param_gather">(!a.get<"fp8_param_gather">() || a.get<"use_distributed_optimizer">() ||
                                    a.get<"use_torch_fsdp2">() || a.get<"use_megatron_fsdp">(),
                                "'fp8_param_gather' needs the distributed optimizer or FSDP");
  }

  void checkpoint() {
    const auto kind = a.get<"non_persistent_ckpt_type">();
    require<"non_persistent_ckpt_type">(!kind || *kind == "global" || *kind == "local",
                                        "'non_persistent_ckpt_type' must be global or local");
    require<"non_persistent_local_ckpt_dir">(
        kind != "local" || a.get<"non_persistent_local_ckpt_dir">(),
        "'non_persistent_ckpt_type: local' needs 'non_persistent_local_ckpt_dir'");
    if (a.get<"save">()) {
      const std::int64_t interval = a.get<"save_interval">().value_or(0);
      require<"save_interval">(interval > 0, "'save' needs a 'save_interval' greater than 0");
      const auto retain = a.get<"save_retain_interval">();
      require<"save_retain_interval">(
          !retain || (*retain > 0 && interval > 0 && *retain % interval == 0),
          fmt::format("'save_retain_interval' must be a multiple of 'save_interval' ({})", interval));
    }
    require<"load_main_params_from_ckpt">(!a.get<"load_main_params_from_ckpt">() || a.get<"no_load_optim">(),
                                          "'load_main_params_from_ckpt' needs 'no_load_optim: true'");
    const std::string format = a.get<"ckpt_format">();
    require<"ckpt_format">(
        format != "torch_dcp" || (a.get<"use_torch_fsdp2">() && a.get<"tensor_model_parallel_size">() <= 1 &&
                                  a.get<"pipeline_model_parallel_size">() <= 1),
        "'ckpt_format: torch_dcp' needs 'use_torch_fsdp2' without tensor or pipeline parallelism");
    require<"ckpt_format">(format != "fsdp_dtensor" || a.get<"use_megatron_fsdp">(),
                           "'ckpt_format: fsdp_dtensor' needs 'use_megatron_fsdp'");
    require<"replication">(!a.get<"replication">() || (a.get<"replication_jump">() && kind == "local"),
                           "'replication' needs 'replication_jump' and 'non_persistent_ckpt_type: local'");
  }

  void experts() {
    const std::int64_t parallel = a.get<"expert_model_parallel_size">();
    const std::int64_t count = a.get<"num_experts">().value_or(0);
    if (parallel > 1) {
      require<"expert_model_parallel_size">(count > 0,
                                            "'expert_model_parallel_size' above 1 needs 'num_experts'");
      require<"num_experts">(
          count % parallel == 0,
          fmt::format("'num_experts' ({}) must be a multiple of 'expert_model_parallel_size' ({})", count,
                      parallel));
    }
    require<"moe_use_upcycling">(!a.get<"moe_use_upcycling">() || a.get<"save">(),
                                 "'moe_use_upcycling' needs 'save'");
    require<"moe_latent_size">(!a.get<"moe_latent_size">() || (*a.get<"moe_latent_size">() > 0 && count > 0),
                               "'moe_latent_size' must be greater than 0, and needs 'num_experts'");
    const LayerPattern pattern = a.get<"moe_layer_freq">();
    require<"moe_layer_freq">(count == 0 || pattern.layers.empty() ||
                                  static_cast<std::int64_t>(pattern.layers.size()) == a.get<"num_layers">(),
                              fmt::format("'moe_layer_freq' lists {} layers, and the model has {}",
                                          pattern.layers.size(), a.get<"num_layers">()));
  }

  void data() {
    const bool per_split = !a.get<"train_data_path">().empty() || !a.get<"valid_data_path">().empty() ||
                           !a.get<"test_data_path">().empty();
    require<"train_data_path">(
        a.get<"mock_data">() + !a.get<"data_path">().empty() + per_split <= 1,
        "give one source of data: 'mock_data', 'data_path', or the paths of each split");
    require<"data_args_path">(a.get<"data_path">().empty() || !a.get<"data_args_path">(),
                              "'data_path' and 'data_args_path' exclude each other");
    require<"per_split_data_args_path">(
        !per_split || !a.get<"per_split_data_args_path">(),
        "'per_split_data_args_path' and the paths of each split exclude each other");
    require<"num_dataset_builder_threads">(a.get<"num_dataset_builder_threads">() > 0,
                                           "'num_dataset_builder_threads' must be greater than 0");
  }

  void optimizer() {
    require<"min_lr">(
        a.get<"min_lr">() <= a.get<"lr">(),
        fmt::format("'min_lr' ({}) must not be above 'lr' ({})", a.get<"min_lr">(), a.get<"lr">()));
    const bool constant = a.get<"weight_decay_incr_style">() == "constant";
    const bool start = a.get<"start_weight_decay">().has_value(),
               end = a.get<"end_weight_decay">().has_value();
    require<"weight_decay_incr_style">(
        constant ? !start && !end : start && end,
        constant ? "'weight_decay_incr_style: constant' takes no 'start_weight_decay' and 'end_weight_decay'"
                 : "'weight_decay_incr_style' other than constant needs 'start_weight_decay' and "
                   "'end_weight_decay'");
    require<"override_opt_param_scheduler">(
        !a.get<"override_opt_param_scheduler">() || !a.get<"use_checkpoint_opt_param_scheduler">(),
        "'override_opt_param_scheduler' and 'use_checkpoint_opt_param_scheduler' exclude each other");
    muon();
  }

  void muon() {
    const std::string kind = a.get<"optimizer">();
    if (kind.find("muon") == std::string::npos) return;
    require<"optimizer">(
        kind != "muon" || (!a.get<"overlap_grad_reduce">() && !a.get<"overlap_param_gather">()),
        "muon works without 'overlap_grad_reduce' and 'overlap_param_gather'; or use dist_muon");
    require<"optimizer">(
        !a.get<"use_distributed_optimizer">() && !a.get<"use_torch_fsdp2">() && !a.get<"use_megatron_fsdp">(),
        "muon works without the distributed optimizer and FSDP");
    require<"optimizer">(a.get<"ckpt_format">() == "torch" || a.get<"ckpt_format">() == "torch_dist",
                         "muon needs 'ckpt_format' torch or torch_dist");
  }

  void recompute() {
    const auto granularity =
        a.get<"recompute_activations">() ? "selective" : a.get<"recompute_granularity">();
    require<"recompute_method">(granularity != "selective" || !a.get<"recompute_method">(),
                                "'recompute_method' goes with 'recompute_granularity: full'");
    if (a.get<"distribute_saved_activations">()) {
      require<"distribute_saved_activations">(
          a.get<"tensor_model_parallel_size">() > 1 && granularity == "full" && a.get<"recompute_method">(),
          "'distribute_saved_activations' needs tensor parallelism, 'recompute_granularity: full' and a "
          "'recompute_method'");
    }
  }

  void determinism() {
    if (!a.get<"deterministic_mode">()) return;
    require<"use_flash_attn">(!a.get<"use_flash_attn">(),
                              "'deterministic_mode' needs 'use_flash_attn: false'");
    require<"cross_entropy_loss_fusion">(!a.get<"cross_entropy_loss_fusion">(),
                                         "'deterministic_mode' needs 'cross_entropy_loss_fusion: false'");
    if (!context_.has_gpu) return;
    for (const auto& [name, wanted] : {std::pair("TORCH_COMPILE_DISABLE", "1"),
                                       {"ROCBLAS_DEFAULT_ATOMICS_MODE", "0"},
                                       {"PRIMUS_TURBO_AUTO_TUNE", "0"},
                                       {"PRIMUS_DETERMINISTIC", "1"}}) {
      require<"deterministic_mode">(
          context_.environment(name) == wanted,
          fmt::format("'deterministic_mode' needs the environment variable {}={}", name, wanted));
    }
  }

  void fsdp() {
    require<"use_fsdp2_fp32_param_optimizer">(
        !a.get<"use_fsdp2_fp32_param_optimizer">() || !a.get<"use_fsdp2_bf16_master_weight_optimizer">(),
        "'use_fsdp2_fp32_param_optimizer' and 'use_fsdp2_bf16_master_weight_optimizer' exclude each other");
    if (a.get<"use_torch_fsdp2">()) {
      const std::string format = a.get<"ckpt_format">();
      require<"use_torch_fsdp2">(
          a.get<"pipeline_model_parallel_size">() == 1 && a.get<"expert_model_parallel_size">() == 1,
          "'use_torch_fsdp2' works without pipeline and expert parallelism");
      require<"use_torch_fsdp2">(
          !a.get<"use_distributed_optimizer">() && !a.get<"gradient_accumulation_fusion">(),
          "'use_torch_fsdp2' works without 'use_distributed_optimizer' and "
          "'gradient_accumulation_fusion'");
      require<"use_torch_fsdp2">(format == "torch_dist" || format == "torch_dcp",
                                 "'use_torch_fsdp2' needs 'ckpt_format' torch_dist or torch_dcp");
      require<"use_torch_fsdp2">(a.get<"untie_embeddings_and_output_weights">() && !a.get<"fp16">(),
                                 "'use_torch_fsdp2' needs untied embeddings, and no fp16");
    }
    require<"use_megatron_fsdp">(!a.get<"use_megatron_fsdp">() || a.get<"ckpt_format">() == "fsdp_dtensor",
                                 "'use_megatron_fsdp' needs 'ckpt_format: fsdp_dtensor'");
  }

  void turbo() {
    require<"use_turbo_parallel_linear">(!a.get<"use_turbo_parallel_linear">(),
                                         "'use_turbo_parallel_linear' was removed: use 'use_turbo_gemm'");
    require<"use_turbo_grouped_mlp">(!a.get<"use_turbo_grouped_mlp">(),
                                     "'use_turbo_grouped_mlp' was removed: use 'use_turbo_grouped_gemm'");
    if (a.get<"use_turbo_gemm">()) {
      const std::string recipe = a.get<"fp8_recipe">();
      require<"fp8_recipe">(
          !a.get<"fp8">() || recipe == "tensorwise" || recipe == "blockwise" || recipe == "mxfp8",
          fmt::format("'use_turbo_gemm' with fp8 takes the recipes tensorwise, blockwise and mxfp8, not "
                      "{}",
                      recipe));
      require<"fp4_recipe">(!a.get<"fp4">() || a.get<"fp4_recipe">() == "mxfp4",
                            "'use_turbo_gemm' with fp4 takes the recipe mxfp4");
    }
    const bool grouped = a.get<"use_turbo_grouped_gemm">();
    require<"use_turbo_grouped_gemm">(!grouped || !a.get<"moe_use_legacy_grouped_gemm">(),
                                      "'use_turbo_grouped_gemm' needs 'moe_use_legacy_grouped_gemm: false'");
    const std::int64_t stage = a.get<"turbo_sync_free_moe_stage">();
    require<"turbo_sync_free_moe_stage">(stage >= 0 && stage <= 3,
                                         "'turbo_sync_free_moe_stage' goes from 0 to 3");
    require<"turbo_sync_free_moe_stage">(stage == 0 || a.get<"enable_primus_turbo">(),
                                         "'turbo_sync_free_moe_stage' needs 'enable_primus_turbo: true'");
    require<"turbo_sync_free_moe_stage">(
        stage < 2 || grouped, "'turbo_sync_free_moe_stage' 2 and 3 need 'use_turbo_grouped_gemm: true'");
    const bool padding =
        a.get<"moe_router_padding_for_quantization">() || (stage > 0 && (a.get<"fp8">() || a.get<"fp4">()));
    require<"turbo_grouped_gemm_without_padding">(
        !a.get<"turbo_grouped_gemm_without_padding">() ||
            (a.get<"enable_primus_turbo">() && grouped && !padding),
        "'turbo_grouped_gemm_without_padding' needs 'enable_primus_turbo' and 'use_turbo_grouped_gemm', and "
        "no "
        "'moe_router_padding_for_quantization'");
    if (!a.get<"use_turbo_deepep">() && stage < 2) return;
    require<"moe_shared_expert_overlap">(!a.get<"moe_shared_expert_overlap">(),
                                         "'use_turbo_deepep' needs 'moe_shared_expert_overlap: false'");
    require<"moe_router_dtype">(a.get<"moe_router_dtype">() == "fp32",
                                "'use_turbo_deepep' needs 'moe_router_dtype: fp32'");
    require<"turbo_deepep_num_cu">(
        a.get<"expert_model_parallel_size">() < 16 || a.get<"turbo_deepep_num_cu">() <= 32,
        "'turbo_deepep_num_cu' is at most 32 with 'expert_model_parallel_size' of 16 or more");
  }

  const Arguments& a;
  const RunContext& context_;
  std::vector<Problem>& problems_;
};

}  // namespace

void check_rules(const Arguments& arguments, const RunContext& context, std::vector<Problem>& problems) {
  Rules(arguments, context, problems).check_all();
}

}  // namespace primus::config
