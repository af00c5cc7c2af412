// Experts: their number, routing and dispatch.
#include <fmt/format.h>

#include <algorithm>

#include "config/rules.h"

namespace primus::config {

namespace {

class ExpertRules : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    count_and_size();
    if (a.get<"num_experts">().value_or(0) == 0) return;
    routing();
    groups();
    balancing();
    capacity();
    dispatch();
    overlap();
  }

 private:
  void count_and_size() {
    const std::int64_t parallel = a.get<"expert_model_parallel_size">();
    const std::int64_t count = a.get<"num_experts">().value_or(0);
    if (parallel > 1) {
      require<"expert_model_parallel_size">(count > 0,
                                            "'expert_model_parallel_size' above 1 needs 'num_experts'");
      require<"num_experts", "expert_model_parallel_size">(
          count % parallel == 0,
          fmt::format("'num_experts' ({}) must be a multiple of 'expert_model_parallel_size' ({})", count,
                      parallel));
    }
    require<"moe_use_upcycling">(!a.get<"moe_use_upcycling">() || a.get<"save">(),
                                 "'moe_use_upcycling' needs 'save'");
    require<"moe_latent_size">(a.get<"moe_latent_size">().value_or(1) > 0,
                               "'moe_latent_size' must be greater than 0");
    const LayerPattern pattern = a.get<"moe_layer_freq">();
    require<"moe_layer_freq">(
        pattern.layers.empty() || static_cast<std::int64_t>(pattern.layers.size()) == a.get<"num_layers">(),
        fmt::format("'moe_layer_freq' lists {} layers, and the model has {}", pattern.layers.size(),
                    a.get<"num_layers">()));
  }

  void routing() {
    const std::int64_t count = *a.get<"num_experts">();
    const std::int64_t chosen = a.get<"moe_router_topk">();
    const std::string score = a.get<"moe_router_score_function">();
    require<"moe_router_topk">(
        chosen <= count, fmt::format("'moe_router_topk' ({}) is above 'num_experts' ({})", chosen, count));
    require<"moe_router_pre_softmax">(
        chosen != 1 || score != "softmax" || a.get<"moe_router_pre_softmax">() || balances_by("sinkhorn"),
        "'moe_router_topk: 1' with a softmax needs 'moe_router_pre_softmax: true': the softmax of one score "
        "is "
        "always 1");
    require<"moe_router_enable_expert_bias">(
        !a.get<"moe_router_enable_expert_bias">() || score == "sigmoid" || score == "sqrtsoftplus",
        fmt::format("'moe_router_enable_expert_bias' needs 'moe_router_score_function' sigmoid or "
                    "sqrtsoftplus, not {}",
                    score));
    const std::int64_t tensor = a.get<"tensor_model_parallel_size">();
    require<"add_bias_linear">(
        !a.get<"add_bias_linear">() || a.get<"expert_tensor_parallel_size">().value_or(tensor) == 1,
        "experts with 'add_bias_linear' need 'expert_tensor_parallel_size: 1'");
  }

  /// Group-limited routing: each token goes to experts of a few groups only.
  void groups() {
    const auto chosen = a.get<"moe_router_group_topk">();
    if (chosen.value_or(0) == 0) return;
    const std::int64_t groups = a.get<"moe_router_num_groups">().value_or(0);
    require<"moe_router_group_topk">(groups > 0, "'moe_router_group_topk' needs 'moe_router_num_groups'");
    require<"moe_router_group_topk">(!a.get<"moe_router_topk_limited_devices">(),
                                     "'moe_router_topk_limited_devices' is the former name of "
                                     "'moe_router_group_topk': set it to null");
    if (groups < 1) return;
    const std::int64_t count = *a.get<"num_experts">();
    require<"moe_router_num_groups">(
        count % groups == 0,
        fmt::format("'num_experts' ({}) is not divisible by 'moe_router_num_groups' ({})", count, groups));
    require<"moe_router_group_topk">(
        *chosen <= groups,
        fmt::format("'moe_router_group_topk' ({}) is above 'moe_router_num_groups' ({})", *chosen, groups));
  }

  void balancing() {
    const std::size_t kinds = a.get<"moe_router_load_balancing_type">().size();
    const std::size_t coefficients = a.get<"moe_aux_loss_coeff">().size();
    require<"moe_aux_loss_coeff">(
        kinds < 2 || kinds == coefficients,
        fmt::format(
            "'moe_router_load_balancing_type' lists {} losses and 'moe_aux_loss_coeff' {} coefficients: "
            "give one for each",
            kinds, coefficients));
  }

  void capacity() {
    const auto factor = a.get<"moe_expert_capacity_factor">();
    require<"moe_expert_capacity_factor">(!factor || !balances_by("sinkhorn"),
                                          "'moe_expert_capacity_factor' cannot be combined with "
                                          "'moe_router_load_balancing_type: sinkhorn'");
    require<"moe_pad_expert_input_to_capacity">(
        !a.get<"moe_pad_expert_input_to_capacity">() || factor.value_or(-1) >= 0,
        "'moe_pad_expert_input_to_capacity' needs 'moe_expert_capacity_factor'");
  }

  void dispatch() {
    const std::string type = a.get<"moe_token_dispatcher_type">();
    const bool deepep = a.get<"moe_enable_deepep">();
    const bool sends = type == "alltoall" || type == "flex";
    require<"moe_enable_deepep">(!deepep || type == "flex",
                                 "'moe_enable_deepep' needs 'moe_token_dispatcher_type: flex'");
    require<"moe_pad_expert_input_to_capacity">(
        !a.get<"moe_pad_expert_input_to_capacity">() || !deepep || type != "flex",
        "'moe_pad_expert_input_to_capacity' cannot be combined with 'moe_enable_deepep'");
    const auto shared = a.get<"moe_shared_expert_intermediate_size">();
    require<"moe_shared_expert_intermediate_size">(
        !shared || *shared > 0, "'moe_shared_expert_intermediate_size' must be greater than 0, or null");
    require<"moe_shared_expert_overlap">(
        !shared || !a.get<"moe_shared_expert_overlap">() || sends,
        fmt::format("'moe_shared_expert_overlap' needs 'moe_token_dispatcher_type' alltoall or flex, not {}",
                    type));
    const bool padded =
        a.get<"moe_router_padding_for_quantization">() || a.get<"moe_router_padding_for_fp8">();
    require<"moe_router_padding_for_quantization">(
        !padded || a.get<"fp8">() || a.get<"fp4">(),
        "'moe_router_padding_for_quantization' needs 'fp8' or 'fp4'");
    require<"moe_router_padding_for_quantization">(
        !padded || sends,
        fmt::format(
            "'moe_router_padding_for_quantization' needs 'moe_token_dispatcher_type' alltoall or flex, "
            "not {}",
            type));
  }

  /// Hiding the experts' communication behind another micro-batch.
  void overlap() {
    if (!a.get<"overlap_moe_expert_parallel_comm">()) return;
    const std::string type = a.get<"moe_token_dispatcher_type">();
    constexpr std::string_view subject = "'overlap_moe_expert_parallel_comm'";
    const auto need = [&](bool holds, std::string_view what) {
      require<"overlap_moe_expert_parallel_comm">(holds, fmt::format("{} needs {}", subject, what));
    };
    need(a.get<"expert_model_parallel_size">() > 1, "'expert_model_parallel_size' above 1");
    need(type == "alltoall" || type == "flex", "'moe_token_dispatcher_type' alltoall or flex");
    need(a.get<"pipeline_model_parallel_size">() == 1 || virtual_stages(a) > 1,
         "an interleaved schedule when 'pipeline_model_parallel_size' is above 1");
    need(a.get<"bf16">() || a.get<"fp16">(), "'bf16' or 'fp16'");
    need(!a.get<"moe_shared_expert_overlap">(), "'moe_shared_expert_overlap: false'");
    need(a.get<"recompute_granularity">() != "full", "a 'recompute_granularity' other than full");
    need(a.get<"mtp_num_layers">().value_or(0) <= 1, "'mtp_num_layers' of at most 1");
  }

  bool balances_by(std::string_view kind) const {
    const auto kinds = a.get<"moe_router_load_balancing_type">();
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  }
};

}  // namespace

void check_experts_rules(const Arguments& arguments, const RunContext& context,
                         std::vector<Problem>& problems) {
  ExpertRules(arguments, context, problems).check_all();
}

}  // namespace primus::config
