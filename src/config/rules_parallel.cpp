// How ranks share the work.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "config/rules.h"

namespace primus::config {

namespace {

class ParallelRules : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    layout();
    pipeline();
    uneven_stages();
    manual_split();
    data_parallel();
    fsdp();
  }

 private:
  void layout() {
    const std::int64_t tensor = a.get<"tensor_model_parallel_size">();
    const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
    const std::int64_t context = a.get<"context_parallel_size">();
    const std::int64_t model = tensor * pipeline * context;
    require<"tensor_model_parallel_size">(
        context_.world_size <= most_ranks,
        fmt::format("the parallel sizes need {} ranks, and at most {} are supported", context_.world_size,
                    most_ranks));
    if (context_.world_size > most_ranks) return;
    require<"tensor_model_parallel_size">(context_.world_size % model == 0,
                                          fmt::format("the world size ({}) is not divisible by tensor x "
                                                      "pipeline x context parallel size ({} x {} x {} = {})",
                                                      context_.world_size, tensor, pipeline, context, model));
    if (context > 1) {
      require<"seq_length", "context_parallel_size">(
          a.get<"seq_length">() % (2 * context) == 0,
          fmt::format("'seq_length' ({}) must be a multiple of twice 'context_parallel_size' ({})",
                      a.get<"seq_length">(), context));
    }
    const auto sizes = a.get<"hierarchical_context_parallel_sizes">();
    const double product = std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>());
    require<"hierarchical_context_parallel_sizes">(
        sizes.empty() || product == static_cast<double>(context),
        fmt::format(
            "the product of 'hierarchical_context_parallel_sizes' ({}) must be 'context_parallel_size' ({})",
            product, context));
    const auto kinds = a.get<"cp_comm_type">();
    require<"cp_comm_type">(!sizes.empty() || std::find(kinds.begin(), kinds.end(), "a2a+p2p") == kinds.end(),
                            "'cp_comm_type: a2a+p2p' needs 'hierarchical_context_parallel_sizes'");
  }

  void pipeline() {
    const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
    if (pipeline <= 1) return;
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
    require<"overlap_p2p_comm">(virtual_stages(a) == 1 || a.get<"overlap_p2p_comm">() || pipeline > 2,
                                "an interleaved schedule without 'overlap_p2p_comm' needs "
                                "'pipeline_model_parallel_size' above 2");
  }

  void layer_split(std::int64_t pipeline, std::optional<std::int64_t> layers_per_virtual_stage) {
    const bool uneven =
        a.get<"decoder_first_pipeline_num_layers">() || a.get<"decoder_last_pipeline_num_layers">() ||
        !a.get<"decoder_pipeline_manual_split_list">().empty() || a.get<"hybrid_override_pattern">() ||
        a.get<"hybrid_layer_pattern">() || a.get<"num_virtual_stages_per_pipeline_rank">();
    if (uneven) return;
    const std::int64_t total = a.get<"num_layers">() + a.get<"account_for_embedding_in_pipeline_split">() +
                               a.get<"account_for_loss_in_pipeline_split">();
    require<"num_layers", "pipeline_model_parallel_size">(
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

  /// Another number of layers on the first and last stage: what is left must fill the stages between.
  void uneven_stages() {
    const auto first = a.get<"decoder_first_pipeline_num_layers">();
    const auto last = a.get<"decoder_last_pipeline_num_layers">();
    if (!first && !last) return;
    require<"decoder_first_pipeline_num_layers">(
        first.value_or(1) > 0, "'decoder_first_pipeline_num_layers' must be greater than 0");
    require<"decoder_last_pipeline_num_layers">(last.value_or(1) > 0,
                                                "'decoder_last_pipeline_num_layers' must be greater than 0");
    const bool counted =
        a.get<"account_for_embedding_in_pipeline_split">() || a.get<"account_for_loss_in_pipeline_split">();
    const bool others = counted || a.get<"num_layers_per_virtual_pipeline_stage">() ||
                        a.get<"pipeline_model_parallel_layout">();
    const std::string names = "'decoder_first_pipeline_num_layers' and 'decoder_last_pipeline_num_layers'";
    const auto require_here = [&](bool holds, const std::string& message) {
      if (first) require<"decoder_first_pipeline_num_layers">(holds, message);
      if (!first) require<"decoder_last_pipeline_num_layers">(holds, message);
    };
    require_here(!others,
                 names +
                     " exclude the other ways to split the layers ('account_for_*_in_pipeline_split', "
                     "'num_layers_per_virtual_pipeline_stage', 'pipeline_model_parallel_layout')");
    const std::int64_t stages =
        a.get<"pipeline_model_parallel_size">() - first.has_value() - last.has_value();
    const std::int64_t layers = a.get<"num_layers">() - first.value_or(0) - last.value_or(0);
    require_here(
        stages > 0 ? layers > 0 && layers % stages == 0 : stages == 0 && layers == 0,
        fmt::format("{} leave {} layers for the {} other pipeline stages, which cannot be divided evenly",
                    names, layers, stages));
    if (stages <= 0 || layers <= 0 || layers % stages != 0) return;
    const std::int64_t chunks = virtual_stages(a);
    require_here(
        first.value_or(0) % chunks == 0 && last.value_or(0) % chunks == 0 && layers / stages % chunks == 0,
        fmt::format("the layers of the first, the last and the middle stages ({}, {}, {}) must be multiples "
                    "of the virtual stages on each rank ({})",
                    first.value_or(layers / stages), last.value_or(layers / stages), layers / stages,
                    chunks));
  }

  void manual_split() {
    const std::vector<std::int64_t> counts = a.get<"decoder_pipeline_manual_split_list">();
    if (counts.empty()) return;
    const auto require_here = [&](bool holds, const std::string& message) {
      require<"decoder_pipeline_manual_split_list">(holds, "'decoder_pipeline_manual_split_list' " + message);
    };
    require_here(
        !a.get<"num_layers_per_virtual_pipeline_stage">() && !a.get<"decoder_first_pipeline_num_layers">() &&
            !a.get<"decoder_last_pipeline_num_layers">() && !a.get<"pipeline_model_parallel_layout">() &&
            !a.get<"account_for_embedding_in_pipeline_split">() &&
            !a.get<"account_for_loss_in_pipeline_split">(),
        "excludes the other ways to split the layers");
    const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
    require_here(pipeline > 1, "needs 'pipeline_model_parallel_size' above 1");
    const std::int64_t chunks = pipeline * virtual_stages(a);
    const auto length = static_cast<std::int64_t>(counts.size());
    require_here(length == chunks,
                 fmt::format("lists {} stages, and there are {} (pipeline stages times virtual "
                             "stages on each)",
                             length, chunks));
    require_here(std::all_of(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; }),
                 "must contain only numbers greater than 0");
    const auto sum = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    require_here(sum == a.get<"num_layers">(),
                 fmt::format("adds up to {} layers, and 'num_layers' is {}", sum, a.get<"num_layers">()));
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

  void fsdp() {
    require<"use_fsdp2_fp32_param_optimizer">(
        !a.get<"use_fsdp2_fp32_param_optimizer">() || !a.get<"use_fsdp2_bf16_master_weight_optimizer">(),
        "'use_fsdp2_fp32_param_optimizer' and 'use_fsdp2_bf16_master_weight_optimizer' exclude each other");
    if (a.get<"use_torch_fsdp2">()) {
      const std::string format = a.get<"ckpt_format">();
      require<"use_torch_fsdp2">(
          a.get<"pipeline_model_parallel_size">() == 1 && a.get<"expert_model_parallel_size">() == 1,
          "'use_torch_fsdp2' cannot be combined with pipeline or expert parallelism");
      require<"use_torch_fsdp2">(
          !a.get<"use_distributed_optimizer">() && !a.get<"gradient_accumulation_fusion">(),
          "'use_torch_fsdp2' cannot be combined with 'use_distributed_optimizer' or "
          "'gradient_accumulation_fusion'");
      require<"use_torch_fsdp2">(format == "torch_dist" || format == "torch_dcp",
                                 "'use_torch_fsdp2' needs 'ckpt_format' torch_dist or torch_dcp");
      require<"use_torch_fsdp2">(a.get<"untie_embeddings_and_output_weights">() && !a.get<"fp16">(),
                                 "'use_torch_fsdp2' needs untied embeddings, and no fp16");
    }
    require<"data_parallel_replicate_degree">(
        a.get<"data_parallel_replicate_degree">() <= 1 || a.get<"ckpt_format">() == "torch_dcp",
        "'data_parallel_replicate_degree' above 1 needs 'ckpt_format: torch_dcp'");
    require<"use_megatron_fsdp">(!a.get<"use_megatron_fsdp">() || a.get<"ckpt_format">() == "fsdp_dtensor",
                                 "'use_megatron_fsdp' needs 'ckpt_format: fsdp_dtensor'");
  }
};

}  // namespace

void check_parallel_rules(const Arguments& arguments, const RunContext& context,
                          std::vector<Problem>& problems) {
  ParallelRules(arguments, context, problems).check_all();
}

}  // namespace primus::config
