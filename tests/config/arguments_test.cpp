// When an argument counts, which values are supported, and who set them.
#include "config/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/condition.h"
#include "config/derive.h"
#include "config/yaml.h"

namespace primus::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The arguments that a small dense model and one more line give.
Arguments arguments_with(const std::string& line) {
  return Arguments::from_yaml(
      "num_layers: 2\nhidden_size: 32\nnum_attention_heads: 4\nmax_position_embeddings: 32\nseq_length: 32\n"
      "micro_batch_size: 2\nlr: 0.1\ntrain_iters: 10\n" +
      line + "\n");
}

std::vector<std::string> refused(const std::string& line) {
  std::vector<std::string> lines;
  for (const Problem& problem : arguments_with(line).unsupported()) lines.push_back(problem.message);
  return lines;
}

/// The lines of the derived arguments' notes.
std::vector<std::string> notes_on(const std::string& line) {
  RunContext context;
  context.root_directory = "/runs/mine";
  return derive(prepare(arguments_with(line), context), context).notes;
}

double epsilon_of(const Arguments& arguments) {
  return derive(arguments, {}).arguments.get<"layernorm_epsilon">();
}

TEST(ArgumentConditions, NameArgumentsAndTheirValues) {
  std::vector<std::string_view> conditions;
  for (const Section& section : sections) {
    conditions.push_back(section.when);
    for (const Argument& argument : section.arguments) conditions.push_back(argument.details.when);
  }
  for (const std::string_view condition : conditions) {
    const Condition parsed = Condition::parse(condition);
    EXPECT_EQ(parsed.terms.empty(), condition.empty());
    for (const Term& term : parsed.terms) {
      const std::size_t index = find_argument(term.name);
      ASSERT_LT(index, argument_count) << condition;
      const std::string_view choices = argument_at(index).details.choices;
      if (term.values.empty() || choices.empty()) continue;
      for (const std::string_view value : {term.values.substr(0, term.values.find('|'))})
        EXPECT_TRUE(is_among(choices, TypedValue(std::string(value)))) << condition;
    }
  }
}

TEST(ArgumentConditions, AreReadAndSaidAsTheyAreWritten) {
  EXPECT_EQ(to_string(Condition::parse("!disable_wandb and optimizer=adam|sgd")),
            "'disable_wandb: false' and 'optimizer' adam or sgd");
  EXPECT_EQ(to_string(Condition::parse("num_experts or context_parallel_size!=1")),
            "'num_experts' or 'context_parallel_size' other than 1");
  EXPECT_TRUE(Condition::parse("a or b!=1").any);
  EXPECT_TRUE(Condition::parse("a or b!=1").names("b"));
  EXPECT_FALSE(Condition::parse("a or b!=1").names("c"));
}

TEST(ArgumentSupport, HoldsForTheDefaults) {
  Arguments defaults;
  for (std::size_t index = 0; index < argument_count; ++index) {
    const Argument& argument = argument_at(index);
    if (argument.support.values.empty()) continue;
    for (const Value& value : {default_value(argument), preset_value(argument)}) {
      const auto typed = convert(argument, value);
      EXPECT_TRUE(is_among(argument.support.values, std::get<TypedValue>(typed))) << argument.name;
    }
  }
  EXPECT_THAT(defaults.unsupported(), IsEmpty());
}

TEST(ArgumentSupport, IsSaidOfEachValue) {
  EXPECT_THAT(refused("optimizer: sgd"), IsEmpty());
  EXPECT_THAT(refused("optimizer: muon"),
              ElementsAre("'optimizer: muon' is not supported (not yet): take adam or sgd"));
  for (const char* line :
       {"pipeline_model_parallel_size: 2", "context_parallel_size: 2", "expert_model_parallel_size: 2",
        "position_embedding_type: relative", "tokenizer_type: BertWordPieceCase", "dataloader_type: external",
        "model_type: mamba"})
    EXPECT_THAT(refused(line), ElementsAre(HasSubstr("is not supported"))) << line;
}

TEST(ArgumentSupport, IsNotAskedForWhatIsOff) {
  for (const char* line :
       {"wandb_project: mine", "tensorboard_dir: /t", "moe_token_dispatcher_type: alltoall",
        "moe_router_topk: 0", "moe_router_dtype: none", "moe_grouped_gemm: null", "fp8_recipe: mxfp8",
        "use_pytorch_profiler: true", "kv_lora_rank: 512", "muon_momentum: 0.5", "use_turbo_deepep: true",
        "rl_default_top_k: 3", "mask_prob: 0.2", "num_experts: 0", "mtp_num_layers: 0",
        "overlap_p2p_comm: false", "main_grads_dtype: bf16", "enable_one_logger: false"})
    EXPECT_THAT(refused(line), IsEmpty()) << line;
  EXPECT_THAT(refused("disable_wandb: false\nwandb_entity: me"),
              ElementsAre(HasSubstr("'disable_wandb: false'")));
}

TEST(ArgumentSupport, OfAFeatureIsRefusedOnceNotForAllThatBelongsToIt) {
  EXPECT_THAT(
      refused("num_experts: 8\nmoe_router_topk: 4\nmoe_grouped_gemm: true\nfp8: hybrid\nfp8_recipe: mxfp8"),
      ElementsAre(HasSubstr("'num_experts: 8'"), HasSubstr("'fp8: hybrid'")));
}

TEST(ArgumentSupport, DoesNotExcuseAValueOfAnotherType) {
  std::vector<Problem> problems;
  Arguments::from(parse_yaml("moe_router_topk: many\n", "arguments"), problems);
  EXPECT_THAT(problems, ::testing::Contains(::testing::Field(
                            &Problem::message, HasSubstr("'moe_router_topk' must be an integer"))));
}

TEST(WithoutEffect, IsSaidOnceOfWhatIsSetAndDoesNotCount) {
  EXPECT_THAT(notes_on("seed: 7"), IsEmpty());
  EXPECT_THAT(notes_on("wandb_project: mine"),
              ElementsAre("arguments:9: 'wandb_project: mine' has no effect here: it only applies with "
                          "'disable_wandb: false'"));
  EXPECT_THAT(notes_on("tokenizer_type: HuggingFaceTokenizer\nvocab_size: 1000"),
              ElementsAre(AllOf(HasSubstr("'vocab_size: 1000' has no effect"), HasSubstr("NullTokenizer"))));
  EXPECT_THAT(
      notes_on("mock_data: true\ndata_path: a b"),
      ElementsAre(AllOf(HasSubstr("'data_path: a b' has no effect"), HasSubstr("'mock_data: false'"))));
  EXPECT_THAT(notes_on("save_interval: 5"), ElementsAre(HasSubstr("it only applies with 'save'")));
  EXPECT_THAT(notes_on("moe_router_topk: 0"), ElementsAre(HasSubstr("it only applies with 'num_experts'")));
  EXPECT_THAT(notes_on("attention_backend: flash"), ElementsAre(HasSubstr("it selects GPU kernels")));
}

TEST(WithoutEffect, IsSaidOfAPathThatIsTheRunsOwn) {
  EXPECT_THAT(notes_on("save: /elsewhere\nsave_interval: 5"),
              ElementsAre(AllOf(HasSubstr("arguments:9: 'save: /elsewhere' is replaced: the run uses"),
                                HasSubstr("/runs/mine/checkpoints"))));
  EXPECT_THAT(notes_on("disable_tensorboard: false\ntensorboard_dir: /t"),
              ElementsAre(HasSubstr("/runs/mine/tensorboard")));
  EXPECT_THAT(notes_on("disable_wandb: false\nwandb_save_dir: /w"),
              ElementsAre(HasSubstr("/runs/mine/wandb")));
}

TEST(WithoutEffect, IsSaidOfWhatAnotherArgumentImplies) {
  EXPECT_THAT(notes_on("add_bias_linear: true"), IsEmpty());
  EXPECT_THAT(notes_on("virtual_pipeline_model_parallel_size: 2"),
              ElementsAre(HasSubstr("it only applies with")));
}

Value set_by(Layer layer, double number) {
  Value value{Value::Content(number)};
  value.origin.layer = layer;
  return value;
}

TEST(TwoNamesOfOneArgument, WhoSetAValueDecidesNotWhatItIs) {
  EXPECT_EQ(epsilon_of(arguments_with("norm_epsilon: 1.0e-3")), 1e-3);
  EXPECT_EQ(epsilon_of(arguments_with("norm_epsilon: 1.0e-3\nlayernorm_epsilon: 1.0e-5")), 1e-5);
  Arguments arguments = arguments_with("layernorm_epsilon: 1.0e-5");
  arguments.set("norm_epsilon", set_by(Layer::command_line, 1e-3));
  EXPECT_EQ(epsilon_of(arguments), 1e-3);
  arguments.set("norm_epsilon", set_by(Layer::model_preset, 1e-3));
  EXPECT_EQ(epsilon_of(arguments), 1e-5);
}

TEST(TwoNamesOfOneArgument, AreSaidWhenBothAreSetAndDiffer) {
  EXPECT_THAT(notes_on("norm_epsilon: 1.0e-3"), IsEmpty());
  EXPECT_THAT(
      notes_on("norm_epsilon: 1.0e-3\nlayernorm_epsilon: 1.0e-5"),
      ElementsAre(
          "arguments:10: 'layernorm_epsilon' (1.0e-5) overrides 'norm_epsilon' (1.0e-3, arguments:9)"));
}

TEST(TwoNamesOfOneArgument, AFormerSwitchOfAWeakerLayerLoses) {
  const auto position_of = [](const Arguments& arguments) {
    return derive(arguments, {}).arguments.get<"position_embedding_type">();
  };
  Arguments arguments = arguments_with("use_rotary_position_embeddings: true");
  EXPECT_EQ(position_of(arguments), "rope");
  Value none{Value::Content(std::string("none"))};
  none.origin.layer = Layer::command_line;
  arguments.set("position_embedding_type", none);
  EXPECT_EQ(position_of(arguments), "none");
}

}  // namespace
}  // namespace primus::config
