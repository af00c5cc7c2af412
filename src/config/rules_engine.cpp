// Number formats, recomputation, determinism and the Turbo kernels.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/rules.h"

namespace primus::config {

namespace {

class EngineRules : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    precision();
    recompute();
    recompute_modules();
    recompute_layers();
    determinism();
    turbo();
  }

 private:
  void precision() {
    require<"fp16">(!a.get<"fp16">() || !a.get<"bf16">(),
                    "'fp16' and 'bf16' are both true: set one of them to false");
    const bool mixed = a.get<"fp16">() || a.get<"bf16">();
    require<"fp32_residual_connection">(!a.get<"fp32_residual_connection">() || mixed,
                                        "'fp32_residual_connection' needs 'fp16' or 'bf16'");
    require<"main_grads_dtype">(!a.get<"bf16">() || !a.get<"accumulate_allreduce_grads_in_fp32">() ||
                                    a.get<"main_grads_dtype">() == "fp32",
                                "'accumulate_allreduce_grads_in_fp32' needs 'main_grads_dtype: fp32'");
    require<"fp4">(!a.get<"fp4">() || !a.get<"fp8">(),
                   "'fp4' and 'fp8' are both set: set one of them to null");
    require<"first_last_layers_bf16">(
        !a.get<"first_last_layers_bf16">() || !a.get<"fp8">() || a.get<"fp8_recipe">() != "delayed",
        "'first_last_layers_bf16' needs an 'fp8_recipe' other than delayed");
    require<"fp8_param_gather">(!a.get<"fp8_param_gather">() || a.get<"use_distributed_optimizer">() ||
                                    a.get<"use_torch_fsdp2">() || a.get<"use_megatron_fsdp">(),
                                "'fp8_param_gather' needs the distributed optimizer or FSDP");
  }

  void recompute() {
    const std::optional<std::string> granularity =
        a.get<"recompute_activations">() ? "selective" : a.get<"recompute_granularity">();
    const bool layers_named = !a.get<"recompute_layer_ids">().empty();
    if (granularity == "selective") {
      require<"recompute_method">(!a.get<"recompute_method">(),
                                  "'recompute_method' goes with 'recompute_granularity: full'");
      require<"recompute_num_layers">(!a.get<"recompute_num_layers">(),
                                      "'recompute_num_layers' goes with 'recompute_granularity: full'");
    } else if (granularity == "full" && !layers_named) {
      require<"recompute_granularity">(
          a.get<"recompute_method">().has_value(),
          "'recompute_granularity: full' needs 'recompute_method' uniform or block");
      require<"recompute_granularity">(a.get<"recompute_num_layers">().has_value(),
                                       "'recompute_granularity: full' needs 'recompute_num_layers'");
    }
    require<"moe_layer_recompute">(
        !a.get<"moe_layer_recompute">() || granularity != "full",
        "'moe_layer_recompute' and 'recompute_granularity: full' exclude each other: the "
        "latter recomputes experts too");
    if (!a.get<"distribute_saved_activations">()) return;
    require<"distribute_saved_activations">(
        a.get<"tensor_model_parallel_size">() > 1 && granularity == "full" && a.get<"recompute_method">(),
        "'distribute_saved_activations' needs tensor parallelism, 'recompute_granularity: full' and a "
        "'recompute_method'");
    require<"distribute_saved_activations">(!a.get<"sequence_parallel">(),
                                            "'distribute_saved_activations' and 'sequence_parallel' exclude "
                                            "each other: the latter splits what is saved "
                                            "already");
  }

  void recompute_modules() {
    if (a.get<"recompute_granularity">() != "selective") return;
    const std::vector<std::string> modules = a.get<"recompute_modules">();
    constexpr std::string_view known[] = {"core_attn", "moe_act", "layernorm",     "mla_up_proj",
                                          "mlp",       "moe",     "shared_experts"};
    for (const std::string& module : modules) {
      require<"recompute_modules">(std::find(std::begin(known), std::end(known), module) != std::end(known),
                                   fmt::format("'recompute_modules' cannot contain '{}': choose from {}",
                                               module, fmt::join(known, ", ")));
    }
    const auto has = [&](std::string_view module) {
      return std::find(modules.begin(), modules.end(), module) != modules.end();
    };
    require<"recompute_modules">(!has("moe_act") || a.get<"moe_grouped_gemm">(),
                                 "'recompute_modules' with moe_act needs 'moe_grouped_gemm: true'");
    require<"recompute_modules">(!has("mla_up_proj") || a.get<"multi_latent_attention">(),
                                 "'recompute_modules' with mla_up_proj needs 'multi_latent_attention: true'");
    require<"recompute_modules">(
        !has("shared_experts") || !a.get<"moe_shared_expert_overlap">(),
        "'recompute_modules' with shared_experts needs 'moe_shared_expert_overlap: false'");
    require<"recompute_modules">(
        !a.get<"fp8">() || a.get<"fp8_recipe">() != "delayed" || (!has("moe_act") && !has("layernorm")),
        "'recompute_modules' with moe_act or layernorm needs an 'fp8_recipe' other than delayed");
  }

  void recompute_layers() {
    const std::vector<std::int64_t> layers = a.get<"recompute_layer_ids">();
    if (layers.empty()) return;
    require<"recompute_layer_ids">(a.get<"recompute_granularity">() == "full" && !a.get<"recompute_method">(),
                                   "'recompute_layer_ids' needs 'recompute_granularity: full' and "
                                   "'recompute_method: null'");
    const std::int64_t end = a.get<"num_layers">() + a.get<"mtp_num_layers">().value_or(0);
    const auto [least, most] = std::minmax_element(layers.begin(), layers.end());
    require<"recompute_layer_ids">(*least >= 0 && *most < end,
                                   fmt::format("'recompute_layer_ids' must be between 0 and {}; {} is not",
                                               end - 1, *least < 0 ? *least : *most));
  }

  /// The variables that make GPU libraries deterministic are not asked for: nothing here reads them.
  void determinism() {
    if (!a.get<"deterministic_mode">()) return;
    require<"use_flash_attn">(!a.get<"use_flash_attn">(),
                              "'deterministic_mode' needs 'use_flash_attn: false'");
    require<"cross_entropy_loss_fusion">(!a.get<"cross_entropy_loss_fusion">(),
                                         "'deterministic_mode' needs 'cross_entropy_loss_fusion: false'");
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
};

}  // namespace

void check_engine_rules(const Arguments& arguments, const RunContext& context,
                        std::vector<Problem>& problems) {
  EngineRules(arguments, context, problems).check_all();
}

}  // namespace primus::config
