#include "model/transformer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/derive.h"
#include "core/error.h"
#include "tests/message_of.h"
#include "tests/model/tiny_config.h"

namespace primus::model {
namespace {

using config::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* llama = R"(
num_layers: 32
hidden_size: 4096
num_attention_heads: 32
max_position_embeddings: 8192
seq_length: 8192
group_query_attention: true
num_query_groups: 8
ffn_hidden_size: 14336
position_embedding_type: rope
rotary_base: 500000
swiglu: true
normalization: RMSNorm
norm_epsilon: 1.0e-06
add_bias_linear: false
untie_embeddings_and_output_weights: true
bf16: true
hidden_dropout: 0.0
attention_dropout: 0.0
micro_batch_size: 1
lr: 1.0e-4
)";

/// The Llama above with one more line.
std::string with(const char* line) { return fmt::format("{}{}\n", llama, line); }

TransformerConfig config_of(const std::string& yaml) {
  return transformer_config_from(config::derive(Arguments::from_yaml(yaml), {}).arguments, 128256);
}

TEST(TransformerConfigFrom, ReadsALlama) {
  const TransformerConfig config = config_of(llama);
  EXPECT_EQ(config.num_query_groups, 8);
  EXPECT_EQ(config.kv_channels, 128);
  EXPECT_EQ(config.ffn_hidden_size, 14336);
  EXPECT_EQ(config.padded_vocab_size, 128256);
  EXPECT_EQ(config.rope.dim, 128);
  EXPECT_EQ(config.rope.base, 500000.0);
  EXPECT_EQ(config.normalization, Normalization::rms_norm);
  EXPECT_EQ(config.layernorm_epsilon, 1e-6);
  EXPECT_EQ(config.activation, kernels::Activation::swiglu);
  EXPECT_EQ(config.params_dtype, at::kBFloat16);
  EXPECT_FALSE(config.kernels.fused_attention);
}

TEST(TransformerConfigFrom, DerivesWhatIsNotGiven) {
  const std::string small = R"(
num_layers: 2
hidden_size: 1000
num_attention_heads: 10
max_position_embeddings: 128
seq_length: 128
micro_batch_size: 1
lr: 1.0e-4
)";
  const TransformerConfig gpt = config_of(small);
  EXPECT_EQ(gpt.ffn_hidden_size, 4000);
  EXPECT_EQ(gpt.num_query_groups, 10);
  EXPECT_EQ(gpt.position_embedding, PositionEmbedding::learned_absolute);
  EXPECT_EQ(gpt.activation, kernels::Activation::gelu_tanh);
  EXPECT_EQ(config_of(small + "swiglu: true\n").ffn_hidden_size, 2624);
  EXPECT_EQ(config_of(small + "add_bias_linear: false\n").activation, kernels::Activation::gelu);
}

TEST(TransformerConfigFrom, GroupsCountOnlyWithGroupQueryAttention) {
  std::string text = llama;
  text.replace(text.find("group_query_attention: true"), 27, "group_query_attention: false");
  EXPECT_EQ(config_of(text).num_query_groups, 32);
}

TEST(TransformerConfigFrom, EachSwitchSelectsItsKernel) {
  const auto kernels_with = [](const char* lines) { return config_of(with(lines)).kernels; };
  EXPECT_FALSE(kernels_with("use_turbo_attention: true").fused_attention);
  const kernels::KernelOptions gate_only = kernels_with("enable_primus_turbo: true");
  EXPECT_FALSE(gate_only.fused_attention || gate_only.fused_linear || gate_only.fused_norm);
  EXPECT_TRUE(kernels_with("enable_primus_turbo: true\nuse_turbo_attention: true").fused_attention);
  EXPECT_TRUE(kernels_with("enable_primus_turbo: true\nuse_turbo_gemm: true").fused_linear);
  EXPECT_TRUE(kernels_with("enable_primus_turbo: true\nuse_turbo_rms_norm: true").fused_norm);
}

TEST(TransformerConfigFrom, FusionsAreMegatronsDefaultsAndCanBeSwitchedOff) {
  const kernels::KernelOptions on = config_of(llama).kernels;
  EXPECT_TRUE(on.fused_activation && on.fused_rope && on.fused_dropout);
  EXPECT_FALSE(on.fused_cross_entropy);
  EXPECT_TRUE(config_of(with("cross_entropy_loss_fusion: true")).kernels.fused_cross_entropy);
  EXPECT_FALSE(config_of(with("bias_swiglu_fusion: false")).kernels.fused_activation);
  EXPECT_FALSE(config_of(with("apply_rope_fusion: false")).kernels.fused_rope);
  EXPECT_FALSE(config_of(with("bias_dropout_fusion: false")).kernels.fused_dropout);
}

TEST(TransformerConfigFrom, WindowsAreGivenForEachLayer) {
  const auto windows_with = [](const char* lines) { return config_of(with(lines)).attention_windows; };
  EXPECT_TRUE(windows_with("window_attn_skip_freq: 2").empty());
  EXPECT_THAT(windows_with("window_size: [128, 0]"), ::testing::Each(128));
  const auto every_second = windows_with("window_size: [128, 0]\nwindow_attn_skip_freq: 2");
  ASSERT_EQ(every_second.size(), 32U);
  EXPECT_EQ(every_second[0], 128);
  EXPECT_EQ(every_second[1], -1);
  const auto listed = windows_with("window_size: [4, 0]\nwindow_attn_skip_freq: ([0]*31+[1])");
  EXPECT_EQ(listed[30], -1);
  EXPECT_EQ(listed[31], 4);
  EXPECT_EQ(config_of(with("attn_logit_softcapping: 50.0")).attn_logit_softcapping, 50.0);
}

TEST(TransformerConfigFrom, WindowsSurviveTheCheckpointsJson) {
  const TransformerConfig config =
      config_of(with("window_size: [128, 0]\nwindow_attn_skip_freq: 2\nattn_logit_softcapping: 30.0"));
  const TransformerConfig again = transformer_config_from_json(to_json(config), "model.json");
  EXPECT_EQ(again.attention_windows, config.attention_windows);
  EXPECT_EQ(again.attn_logit_softcapping, 30.0);
}

/// Converts to anything, so that an aggregate can be asked how many members it has.
struct Anything {
  template <typename T>
  operator T() const;
};

template <typename Struct, typename... Members>
consteval std::size_t member_count() {
  if constexpr (requires { Struct{Members{}..., Anything{}}; }) {
    return member_count<Struct, Members..., Anything>();
  } else {
    return sizeof...(Members);
  }
}

/// Another value than the given one that the field may have.
nlohmann::json changed(const std::string& field, const nlohmann::json& value) {
  if (field == "position_embedding_type") return "none";
  if (field == "normalization") return "LayerNorm";
  if (field == "activation") return "relu";
  if (field == "rope_scaling")
    return {{"factor", 8.0},
            {"low_freq_factor", 1.0},
            {"high_freq_factor", 4.0},
            {"original_max_position_embeddings", 16}};
  if (field == "attention_windows") return {3, 4, 5};
  if (value.is_boolean()) return !value.get<bool>();
  if (field == "num_attention_heads" || field == "num_query_groups" || field == "kv_channels" ||
      field == "rotary_dim")
    return 2 * value.get<int>();
  return value.is_number_float() ? nlohmann::json(value.get<double>() + 1)
                                 : nlohmann::json(value.get<int>() + 1);
}

/// What a user sets.
std::string argument_of(const std::string& field) {
  if (field == "rotary_dim") return "rotary_percent";
  if (field == "rope_scaling") return "use_rope_scaling";
  if (field == "attention_windows") return "window_size";
  return field;
}

TEST(TransformerConfigJson, EveryFieldIsComparedInBothDirectionsAndNamedAsAUserSetsIt) {
  TransformerConfig config = tiny_llama();
  config.kv_channels = 32;
  const auto fields = nlohmann::json::parse(to_json(config));
  for (const auto& [field, value] : fields.items()) {
    if (field == "padded_vocab_size" || field == "max_position_embeddings") continue;
    nlohmann::json other = fields;
    other[field] = changed(field, value);
    if (field == "num_layers") other["attention_windows"] = nlohmann::json::array();
    if (field == "kv_channels") other["rotary_dim"] = 2 * config.rope.dim;
    const TransformerConfig theirs = transformer_config_from_json(other.dump(), "theirs");
    for (const auto& found : {differences(theirs, config), differences(config, theirs)}) {
      ASSERT_EQ(found.size(), 1) << field;
      const std::string argument = found[0].argument.substr(0, found[0].argument.find(' '));
      EXPECT_EQ(argument, argument_of(field));
      EXPECT_TRUE(argument == "activation" || config::find_argument(argument) < config::argument_count)
          << argument;
    }
  }
  EXPECT_THAT(differences(config, config), ::testing::IsEmpty());
}

TEST(TransformerConfigJson, NoFieldIsForgotten) {
  // Of the fields that change no function: hidden_dropout, attention_dropout, init_method_std, seed,
  // params_dtype, kernels. A new field belongs into the list in transformer_config_json.cpp, or it is one
  // more of these.
  constexpr std::size_t not_compared = 6;
  // The fields of RopeConfig stand beside the others in JSON.
  constexpr std::size_t fields =
      member_count<TransformerConfig>() - 1 + member_count<kernels::RopeConfig>() - not_compared;
  EXPECT_EQ(nlohmann::json::parse(to_json(tiny_llama())).size(), fields);
  TransformerConfig scaled = tiny_llama();
  scaled.rope.llama_scaling.emplace();
  EXPECT_EQ(nlohmann::json::parse(to_json(scaled))["rope_scaling"].size(),
            member_count<kernels::LlamaRopeScaling>());
}

TEST(TransformerConfigJson, WhatIsNoPartOfTheFunctionMayDiffer) {
  TransformerConfig other = tiny_llama();
  other.padded_vocab_size = 96;
  other.max_position_embeddings = 64;
  other.hidden_dropout = 0.1;
  EXPECT_THAT(differences(other, tiny_llama()), ::testing::IsEmpty());
  TransformerConfig longer = tiny_gpt2();
  longer.max_position_embeddings = 64;
  EXPECT_THAT(
      testing::message_of([&] { require_same(longer, tiny_gpt2(), "iter_0000008"); }),
      "iter_0000008: a checkpoint of another model: max_position_embeddings is 64 in the checkpoint, 32 in "
      "this run");
  longer.max_position_embeddings = 32;
  longer.rope.base = 500000;
  EXPECT_THAT(differences(longer, tiny_gpt2()), ::testing::IsEmpty());
}

TEST(TransformerConfigJson, FieldsOfAnOlderProgramHaveDefaultsAndThoseOfANewerOneAreRefused) {
  auto json = nlohmann::json::parse(to_json(tiny_llama()));
  const auto read = [&] { return transformer_config_from_json(json.dump(), "common.json"); };
  for (const char* later : {"rope_scaling", "attn_logit_softcapping", "attention_windows"}) json.erase(later);
  EXPECT_THAT(differences(read(), tiny_llama()), ::testing::IsEmpty());
  json["mlp_multiplier"] = 2.0;
  EXPECT_THAT(testing::message_of(read),
              AllOf(HasSubstr("'mlp_multiplier' is unknown"), HasSubstr("newer version")));
  json.erase("mlp_multiplier");
  json.erase("num_layers");
  EXPECT_THAT(testing::message_of(read), HasSubstr("common.json: 'num_layers' is missing"));
}

TEST(TransformerConfigFrom, SaysWhatDoesNotFit) {
  const auto message_of = [](const std::string& yaml) {
    return primus::testing::message_of([&] { config_of(yaml); });
  };
  std::string position = llama;
  position.replace(position.find("position_embedding_type: rope"), 29, "position_embedding_type: mrope");
  EXPECT_THAT(message_of(position), HasSubstr("'mrope' is not supported"));
  EXPECT_THAT(message_of(with("rotary_percent: 0.01")), HasSubstr("rotary_percent"));
  EXPECT_THAT(message_of(with("window_size: [128]")), HasSubstr("[left, right]; it has 1"));
  EXPECT_THAT(message_of(with("window_size: [128, 0]\nwindow_attn_skip_freq: [1, 0]")),
              HasSubstr("lists 2 layers, and 'num_layers' is 32"));
}

TEST(TransformerConfigFrom, PaddedVocabSizeGivesAModelMoreRowsThanItsTokenizerHasEntries) {
  const auto made = [](const char* line) {
    return transformer_config_from(
        config::derive(Arguments::from_yaml(with(line)), {.world_size = 4}).arguments, 151665);
  };
  EXPECT_EQ(made("padded_vocab_size: null").vocab_size, 151665);
  const TransformerConfig larger = made("padded_vocab_size: 151936");
  EXPECT_EQ(larger.vocab_size, 151936);
  EXPECT_EQ(larger.padded_vocab_size, 151936);
  const TransformerConfig odd = made("padded_vocab_size: 151667\ntensor_model_parallel_size: 4");
  EXPECT_EQ(odd.vocab_size, 151667);
  EXPECT_EQ(odd.padded_vocab_size, 151668) << "each rank has as many rows";
  EXPECT_THAT(primus::testing::message_of([&] { made("padded_vocab_size: 151664"); }),
              HasSubstr("'padded_vocab_size' is 151664, and the tokenizer has 151665 entries"));
}

TEST(ArgumentsFrom, DescribeTheModelThatTheyCameFrom) {
  const std::vector<void (*)(TransformerConfig&)> changes = {
      [](TransformerConfig&) {},
      [](TransformerConfig& c) { c.num_query_groups = c.num_attention_heads; },
      [](TransformerConfig& c) { c.kv_channels = c.rope.dim = 64; },
      [](TransformerConfig& c) { c.rope.interpolation_factor = 4.0; },
      [](TransformerConfig& c) { c.rope.llama_scaling = kernels::LlamaRopeScaling{.factor = 32.0}; },
      [](TransformerConfig& c) { c.layernorm_epsilon = 1e-5; },
      [](TransformerConfig& c) { c.add_bias_linear = c.add_qkv_bias = true; },
      [](TransformerConfig& c) { c.add_qkv_bias = true; },
      [](TransformerConfig& c) { c.qk_layernorm = true; },
      [](TransformerConfig& c) { c.untie_embeddings_and_output_weights = false; },
      [](TransformerConfig& c) { c.attention_dropout = 0.1; },
      [](TransformerConfig& c) { c.params_dtype = at::kFloat; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    TransformerConfig config = config_of(llama);
    changes[i](config);
    std::string yaml = "micro_batch_size: 1\nseq_length: 1\nlr: 1.0\n";
    for (const auto& [name, value] : arguments_from(config)) yaml += fmt::format("{}: {}\n", name, value);
    const TransformerConfig again = config_of(yaml);
    EXPECT_EQ(to_json(again), to_json(config)) << i;
    EXPECT_EQ(again.attention_dropout, config.attention_dropout) << i;
    EXPECT_EQ(again.params_dtype, config.params_dtype) << i;
  }
}

TEST(ArgumentsFrom, NamesWhatNoArgumentsDescribe) {
  TransformerConfig config = config_of(llama);
  config.rope.interpolation_factor = 2.5;
  EXPECT_THAT(primus::testing::message_of([&] { arguments_from(config); }),
              HasSubstr("rotary_seq_len_interpolation_factor 2.5"));
  config = config_of(llama);
  config.rope.llama_scaling = kernels::LlamaRopeScaling{.original_max_positions = 16};
  EXPECT_THAT(primus::testing::message_of([&] { arguments_from(config); }),
              HasSubstr("original_max_position_embeddings (of rope scaling) 16"));
  config = config_of(llama);
  config.normalization = Normalization::layer_norm;
  EXPECT_THAT(primus::testing::message_of([&] { arguments_from(config); }), HasSubstr("normalization"));
}

}  // namespace
}  // namespace primus::model
