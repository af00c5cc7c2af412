// The rules that arguments keep together. What Megatron accepts and refuses is tested in derive_test.cpp on
// golden values; here: each rule on its own, its place and its words, and the examples that are shipped.
#include "config/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "config/validate.h"
#include "golden.h"

namespace primus::config {
namespace {

namespace fs = std::filesystem;
using primus::config::testing::source_directory;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A small dense model and one of experts, on two ranks, that keep every rule.
constexpr std::string_view dense =
    "num_layers: 8\nhidden_size: 64\nnum_attention_heads: 8\nseq_length: 32\nmax_position_embeddings: 32\n"
    "micro_batch_size: 2\nglobal_batch_size: 8\nbf16: true\nlr: 0.1\nmin_lr: 0.0\ntrain_iters: 10\n";
constexpr std::string_view experts =
    "num_experts: 8\nmoe_router_topk: 2\nmoe_token_dispatcher_type: alltoall\nmoe_grouped_gemm: true\n";

std::vector<std::string> broken_by(const std::string& yaml) {
  std::vector<Problem> problems;
  check_rules(Arguments::from_yaml(yaml), {.world_size = 2}, problems);
  std::vector<std::string> lines;
  for (const Problem& problem : problems) lines.push_back(to_string(problem));
  return lines;
}

struct RuleCase {
  std::string name;
  std::string yaml;  ///< set over the base; its last line is the one that the problem must name
  std::string message;
  bool with_experts = false;
};

void PrintTo(const RuleCase& rule, std::ostream* out) { *out << rule.name; }

class BrokenRule : public ::testing::TestWithParam<RuleCase> {};

TEST_P(BrokenRule, IsReportedOnceAtTheLineOfTheArgument) {
  const RuleCase& rule = GetParam();
  std::string yaml;
  const std::string base = std::string(dense) + (rule.with_experts ? std::string(experts) : "");
  // What the case sets takes the place of the base's line.
  for (std::size_t start = 0; start < base.size();) {
    const std::size_t end = base.find('\n', start) + 1;
    const std::string line = base.substr(start, end - start);
    if (("\n" + rule.yaml).find("\n" + line.substr(0, line.find(':') + 1)) == std::string::npos) yaml += line;
    start = end;
  }
  yaml += rule.yaml;
  const auto line = std::count(yaml.begin(), yaml.end(), '\n') + 1;
  EXPECT_THAT(broken_by(yaml),
              ElementsAre(AllOf(HasSubstr(fmt::format("arguments:{}: ", line)), HasSubstr(rule.message))));
}

std::string name_of(const ::testing::TestParamInfo<RuleCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Model, BrokenRule,
    ::testing::Values(
        RuleCase{"HeadsOverTensorParallelRanks", "tensor_model_parallel_size: 2\nnum_attention_heads: 1",
                 "'num_attention_heads' (1) is not divisible by 'tensor_model_parallel_size' (2)"},
        RuleCase{"QueryGroupsDivideHeads", "group_query_attention: true\nnum_query_groups: 3",
                 "'num_attention_heads' (8) is not divisible by 'num_query_groups' (3)"},
        RuleCase{"HeadsDivideTheHiddenSize", "num_attention_heads: 7",
                 "is not divisible by 'num_attention_heads' (7)"},
        RuleCase{"ASwitchForOneActivation", "swiglu: true\nsquared_relu: true", "exclude each other"},
        RuleCase{"InterleavedRotationOfLatentAttention",
                 "position_embedding_type: rope\nmulti_latent_attention: true\nrotary_interleaved: true",
                 "exclude each other"},
        RuleCase{"ASequenceThatRanksCannotShare",
                 "tensor_model_parallel_size: 2\nsequence_parallel: true\nseq_length: 31",
                 "'seq_length' (31) is not divisible by 'tensor_model_parallel_size' (2)"},
        RuleCase{"Positions", "seq_length: 33\nmax_position_embeddings: 32",
                 "'max_position_embeddings' (32) must be at least 'seq_length' (33)"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Experts, BrokenRule,
    ::testing::Values(
        RuleCase{"MoreChosenThanThereAre", "moe_router_topk: 9", "'moe_router_topk' (9) is above", true},
        RuleCase{"SoftmaxOfOneScore", "moe_router_topk: 1\nmoe_router_pre_softmax: false",
                 "needs 'moe_router_pre_softmax: true'", true},
        RuleCase{"BiasOfASoftmaxRouter", "moe_router_enable_expert_bias: true", "sigmoid or sqrtsoftplus",
                 true},
        RuleCase{"BiasedExpertsOverRanks", "tensor_model_parallel_size: 2\nadd_bias_linear: true",
                 "need 'expert_tensor_parallel_size: 1'", true},
        RuleCase{"GroupsWithoutTheirNumber", "moe_router_group_topk: 2", "needs 'moe_router_num_groups'",
                 true},
        RuleCase{"GroupsThatDoNotFit", "moe_router_group_topk: 2\nmoe_router_num_groups: 3",
                 "'num_experts' (8) is not divisible by 'moe_router_num_groups' (3)", true},
        RuleCase{"MoreGroupsChosenThanThereAre", "moe_router_num_groups: 2\nmoe_router_group_topk: 4",
                 "'moe_router_group_topk' (4) is above", true},
        RuleCase{"OneCoefficientForTwoLosses",
                 "moe_router_load_balancing_type: [aux_loss, seq_aux_loss]\nmoe_aux_loss_coeff: 0.1",
                 "lists 2 losses and 'moe_aux_loss_coeff' 1 coefficients", true},
        RuleCase{"CapacityWithSinkhorn",
                 "moe_router_load_balancing_type: sinkhorn\nmoe_expert_capacity_factor: 1.0",
                 "cannot be combined with", true},
        RuleCase{"PaddingWithoutCapacity", "moe_pad_expert_input_to_capacity: true",
                 "needs 'moe_expert_capacity_factor'", true},
        RuleCase{"DeepEpWithoutFlex", "moe_enable_deepep: true", "needs 'moe_token_dispatcher_type: flex'",
                 true},
        RuleCase{"SharedExpertOfNoSize", "moe_shared_expert_intermediate_size: 0", "must be greater than 0",
                 true},
        RuleCase{"OverlapOfGatheredTokens",
                 "moe_token_dispatcher_type: allgather\nmoe_shared_expert_intermediate_size: 8\n"
                 "moe_shared_expert_overlap: true",
                 "alltoall or flex, not allgather", true},
        RuleCase{"PaddingForNoQuantization", "moe_router_padding_for_quantization: true",
                 "needs 'fp8' or 'fp4'", true},
        RuleCase{"OverlapWithoutExpertParallelism", "overlap_moe_expert_parallel_comm: true",
                 "needs 'expert_model_parallel_size' above 1", true},
        RuleCase{"PatternOfAnotherLength", "moe_layer_freq: ([0]*2+[1]*7)",
                 "'moe_layer_freq' lists 9 layers, and the model has 8", true}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Stages, BrokenRule,
    ::testing::Values(RuleCase{"WhatIsLeftDoesNotFill",
                               "pipeline_model_parallel_size: 2\ndecoder_first_pipeline_num_layers: 8",
                               "leave 0 layers for the 1 other pipeline stages"},
                      RuleCase{"TwoWaysToSplit",
                               "pipeline_model_parallel_size: 2\naccount_for_loss_in_pipeline_split: true\n"
                               "decoder_last_pipeline_num_layers: 3",
                               "exclude the other ways to split the layers"},
                      RuleCase{"ChunksOfAnUnevenStage",
                               "pipeline_model_parallel_size: 2\nnum_virtual_stages_per_pipeline_rank: "
                               "2\noverlap_p2p_comm: true\n"
                               "decoder_first_pipeline_num_layers: 3",
                               "(3, 5, 5) must be multiples of the virtual stages on each rank (2)"},
                      RuleCase{"ManualSplitOfAnotherSum",
                               "pipeline_model_parallel_size: 2\ndecoder_pipeline_manual_split_list: [3, 4]",
                               "adds up to 7 layers, and 'num_layers' is 8"},
                      RuleCase{
                          "ManualSplitOfAnotherLength",
                          "pipeline_model_parallel_size: 2\ndecoder_pipeline_manual_split_list: [3, 3, 2]",
                          "lists 3 stages, and there are 2"},
                      RuleCase{"ManualSplitWithAnEmptyStage",
                               "pipeline_model_parallel_size: 2\ndecoder_pipeline_manual_split_list: [8, 0]",
                               "greater than 0"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Engine, BrokenRule,
    ::testing::Values(
        RuleCase{"SelectiveTakesNoNumber", "recompute_granularity: selective\nrecompute_num_layers: 2",
                 "goes with 'recompute_granularity: full'"},
        RuleCase{"FullNeedsAMethod", "recompute_num_layers: 2\nrecompute_granularity: full",
                 "needs 'recompute_method' uniform or block"},
        RuleCase{"FullNeedsANumber", "recompute_method: block\nrecompute_granularity: full",
                 "needs 'recompute_num_layers'"},
        RuleCase{"AnUnknownPart", "recompute_granularity: selective\nrecompute_modules: [mlp, attention]",
                 "cannot contain 'attention': choose from core_attn, "},
        RuleCase{"ExpertActivationsWithoutGrouping",
                 "recompute_granularity: selective\nrecompute_modules: [moe_act]",
                 "needs 'moe_grouped_gemm: true'"},
        RuleCase{"ProjectionsOfNoLatentAttention",
                 "recompute_granularity: selective\nrecompute_modules: [mla_up_proj]",
                 "needs 'multi_latent_attention: true'"},
        RuleCase{"LayersThatDoNotExist", "recompute_granularity: full\nrecompute_layer_ids: [0, 8]",
                 "must be between 0 and 7; 8 is not"},
        RuleCase{"LayersByNumberAndMethod",
                 "recompute_granularity: full\nrecompute_method: block\nrecompute_layer_ids: [0, 7]",
                 "needs 'recompute_granularity: full' and 'recompute_method: null'"},
        RuleCase{"DelayedScalingOfFirstLayers", "fp8: hybrid\nfirst_last_layers_bf16: true",
                 "an 'fp8_recipe' other than delayed"},
        RuleCase{"BothNumberFormats", "bf16: true\nfp16: true", "set one of them to false"}),
    name_of);

TEST(Rules, AreKeptByTheBasesOfTheseTests) {
  EXPECT_THAT(broken_by(std::string(dense)), IsEmpty());
  EXPECT_THAT(broken_by(std::string(dense) + std::string(experts)), IsEmpty());
}

TEST(Rules, HoldForWhatCountsAlone) {
  for (const char* of_a_feature_that_is_off :
       {"moe_ffn_hidden_size: 16", "moe_latent_size: -1", "fp8_param_gather: true",
        "fp16_lm_cross_entropy: true", "cp_comm_type: a2a+p2p", "num_virtual_stages_per_pipeline_rank: 2",
        "decoder_first_pipeline_num_layers: 3", "turbo_sync_free_moe_stage: 3",
        "data_parallel_replicate_degree: 2", "recompute_layer_ids: [9]"})
    EXPECT_THAT(broken_by(fmt::format("{}{}\n", dense, of_a_feature_that_is_off)), IsEmpty());
}

TEST(Rules, AcceptUnevenStagesThatFitTogether) {
  const std::string stages = "pipeline_model_parallel_size: 2\n";
  EXPECT_THAT(broken_by(std::string(dense) + stages + "decoder_last_pipeline_num_layers: 3\n"), IsEmpty());
  EXPECT_THAT(broken_by(std::string(dense) + stages +
                        "decoder_first_pipeline_num_layers: 5\ndecoder_last_pipeline_num_layers: 3\n"),
              IsEmpty());
  EXPECT_THAT(broken_by(std::string(dense) + stages + "decoder_pipeline_manual_split_list: [5, 3]\n"),
              IsEmpty());
}

TEST(Rules, DoNotCountToNumbersThatNoMachineReaches) {
  const std::string sizes =
      "tensor_model_parallel_size: 1000000\npipeline_model_parallel_size: 1000000\ncontext_parallel_size: "
      "1000000\nexpert_model_parallel_size: 999999\n";
  const Arguments arguments = Arguments::from_yaml(std::string(dense) + sizes);
  std::vector<Problem> problems;
  check_rules(arguments, {.world_size = smallest_world_size(arguments)}, problems);
  ASSERT_THAT(problems, ::testing::Not(IsEmpty()));
  EXPECT_THAT(problems[0].message, HasSubstr("at most 1000000 are supported"));
}

TEST(Rules, ComeAllAtOnce) {
  const std::vector<std::string> problems =
      broken_by(std::string(dense) +
                "recompute_granularity: selective\nfp16: true\nrecompute_layer_ids: [9]\nsave: here\n");
  EXPECT_THAT(problems, ::testing::UnorderedElementsAre(
                            HasSubstr("arguments:13: 'fp16' and 'bf16'"),
                            HasSubstr("arguments:14: 'recompute_layer_ids' needs"),
                            HasSubstr("arguments:14: 'recompute_layer_ids' must be between"),
                            HasSubstr("'save' needs a 'save_interval'")));
}

/// The experiment files that are shipped, relative to the source tree.
std::vector<std::string> shipped_examples() {
  std::vector<std::string> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(source_directory() / "examples/megatron/configs")) {
    if (entry.path().extension() == ".yaml") files.push_back(fs::relative(entry.path(), source_directory()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Rules, RefuseNineOfTheShippedExamplesAsTheOriginalDoes) {
  std::vector<std::string> refused;
  for (const std::string& file : shipped_examples()) {
    ResolveRequest request;
    request.config = source_directory() / file;
    request.config_directories = {source_directory() / "configs"};
    request.environment = environment_of({});
    const ValidationReport report = validate(request, std::nullopt);
    if (report.problems.empty()) continue;
    refused.push_back(file.substr(std::string("examples/megatron/configs/").size()));
    EXPECT_THAT(report.problems, ::testing::SizeIs(1)) << file;
    EXPECT_THAT(to_string(report.problems[0]),
                AllOf(HasSubstr(".yaml:"), HasSubstr("is not divisible by "
                                                     "'pipeline_model_parallel_size' (8)")));
  }
  // 126, 43 and 61 layers, which 8 stages cannot share evenly.
  EXPECT_THAT(
      refused,
      ElementsAre("MI300X/llama3.1_405B-BF16-pretrain.yaml", "MI300X/llama3.1_405B-FP8-pretrain.yaml",
                  "MI325X/llama3.1_405B-BF16-pretrain.yaml", "MI325X/llama3.1_405B-FP8-pretrain.yaml",
                  "MI355X/deepseek_v4_flash-BF16-pretrain.yaml", "MI355X/deepseek_v4_flash-FP8-pretrain.yaml",
                  "MI355X/kimi_k2-BF16-pretrain.yaml", "MI355X/llama3.1_405B-BF16-pretrain.yaml",
                  "MI355X/llama3.1_405B-FP8-pretrain.yaml"));
}

}  // namespace
}  // namespace primus::config
