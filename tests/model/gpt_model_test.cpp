#include "model/gpt_model.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/analysis.h"
#include "tests/message_of.h"
#include "tests/model/tiny_config.h"

namespace primus::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Token ids without a pattern.
at::Tensor some_tokens(std::int64_t samples, std::int64_t length, std::int64_t seed = 1) {
  return (at::arange(samples * length, at::kLong).mul(7919).add(seed * 31).square().remainder(60))
      .view({samples, length});
}

ModelInput some_input(std::int64_t samples = 2, std::int64_t length = 10) {
  return {.tokens = some_tokens(samples, length), .labels = some_tokens(samples, length, 2)};
}

/// The sizes of Llama 3.1 8B, but for its vocabulary.
TransformerConfig llama_8b() {
  TransformerConfig config = tiny_llama();
  config.num_layers = 32;
  config.hidden_size = 4096;
  config.num_attention_heads = 32;
  config.num_query_groups = 8;
  config.kv_channels = 128;
  config.ffn_hidden_size = 14336;
  return config;
}

at::Tensor losses_of(const GPTModel& model, const ModelInput& input) {
  return model.losses(input, model.forward(input));
}

ChunkSpec first_layer(const TransformerConfig& config) {
  return {.layers = {layer_specs(config).front()}, .pre_process = true, .post_process = false};
}

ChunkSpec all_but_first_layer(const TransformerConfig& config) {
  std::vector<LayerSpec> layers = layer_specs(config);
  layers.erase(layers.begin());
  return {.layers = layers, .pre_process = false, .post_process = true};
}

std::unique_ptr<GPTModel> make_model(const TransformerConfig& config) {
  auto model = std::make_unique<GPTModel>(config, ChunkSpec::whole(config), parallel::Mesh());
  model->initialize();
  return model;
}

/// Parameters drawn wide apart, so that every part of the model matters.
void make_lively(GPTModel& model) {
  const at::NoGradGuard no_grad;
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->spec().init.kind == parallel::Initializer::Kind::normal) {
      parameter->weight.value.mul_(8.0);
    } else {
      parameter->weight.value.add_(
          at::linspace(-0.3, 0.3, parameter->local_numel()).view_as(parameter->weight.value));
    }
  }
}

std::vector<std::string> names_of(const GPTModel& model) {
  std::vector<std::string> names;
  for (const auto& parameter : model.parameters().all()) names.push_back(parameter->name());
  return names;
}

TEST(GPTModel, ParametersHaveMegatronsNamesInTheOrderOfTheirUse) {
  TransformerConfig config = tiny_llama();
  config.num_layers = 1;
  config.qk_layernorm = true;
  EXPECT_THAT(names_of(*make_model(config)),
              ElementsAre("embedding.word_embeddings.weight",
                          "decoder.layers.0.self_attention.linear_qkv.layer_norm_weight",
                          "decoder.layers.0.self_attention.linear_qkv.weight",
                          "decoder.layers.0.self_attention.q_layernorm.weight",
                          "decoder.layers.0.self_attention.k_layernorm.weight",
                          "decoder.layers.0.self_attention.linear_proj.weight",
                          "decoder.layers.0.mlp.linear_fc1.layer_norm_weight",
                          "decoder.layers.0.mlp.linear_fc1.weight", "decoder.layers.0.mlp.linear_fc2.weight",
                          "decoder.final_layernorm.weight", "output_layer.weight"));
}

TEST(GPTModel, HasAsManyParametersAsThePublishedModels) {
  TransformerConfig llama = llama_8b();
  llama.vocab_size = llama.padded_vocab_size = 128256;
  EXPECT_EQ(parameter_count(llama), 8'030'261'248);  // Llama 3.1 8B

  TransformerConfig gpt2 = tiny_gpt2();
  gpt2.num_layers = 12;
  gpt2.hidden_size = 768;
  gpt2.num_attention_heads = gpt2.num_query_groups = 12;
  gpt2.kv_channels = 64;
  gpt2.ffn_hidden_size = 3072;
  gpt2.max_position_embeddings = 1024;
  gpt2.vocab_size = gpt2.padded_vocab_size = 50257;
  EXPECT_EQ(parameter_count(gpt2), 124'439'808);  // GPT-2

  TransformerConfig qwen = llama;
  qwen.num_layers = 24;
  qwen.hidden_size = 896;
  qwen.num_attention_heads = 14;
  qwen.num_query_groups = 2;
  qwen.kv_channels = 64;
  qwen.ffn_hidden_size = 4864;
  qwen.vocab_size = qwen.padded_vocab_size = 151936;
  qwen.add_qkv_bias = true;
  qwen.untie_embeddings_and_output_weights = false;
  EXPECT_EQ(parameter_count(qwen), 494'032'768);  // Qwen2.5 0.5B
}

TEST(GPTModel, WeightsStartWithMegatronsDeviations) {
  TransformerConfig config = tiny_llama();
  config.hidden_size = 256;
  config.ffn_hidden_size = 512;
  const auto model = make_model(config);
  const auto deviation = [&](const char* name) {
    return model->parameters().find(name)->weight.value.detach().std().item<double>();
  };
  EXPECT_NEAR(deviation("decoder.layers.1.mlp.linear_fc1.weight"), 0.02, 0.0005);
  EXPECT_NEAR(deviation("decoder.layers.1.mlp.linear_fc2.weight"), 0.02 / std::sqrt(6.0), 0.0003);
  EXPECT_EQ(model->parameters().find("decoder.final_layernorm.weight")->weight.value.min().item<float>(),
            1.0F);
}

TEST(GPTModel, TheLossIsTheCrossEntropyOfItsLogits) {
  for (const TransformerConfig& config : {tiny_llama(), tiny_gpt2()}) {
    const auto model = make_model(config);
    make_lively(*model);
    const ModelInput input = some_input();
    const at::Tensor loss = losses_of(*model, input);
    const at::Tensor logits = model->logits(input);
    EXPECT_EQ(logits.sizes(), at::IntArrayRef({2, 10, 64}));
    const at::Tensor expected =
        -at::log_softmax(logits, -1).gather(-1, input.labels.unsqueeze(-1)).squeeze(-1);
    EXPECT_TRUE(at::allclose(loss, expected, 1e-5, 1e-6));
  }
}

TEST(GPTModel, ATokenSeesNoLaterToken) {
  const auto model = make_model(tiny_llama());
  make_lively(*model);
  ModelInput input = some_input(1, 10);
  const at::Tensor before = model->logits(input);
  input.tokens = input.tokens.clone();
  input.tokens[0][6] = 59;
  const at::Tensor after = model->logits(input);
  EXPECT_TRUE(at::equal(before.slice(1, 0, 6), after.slice(1, 0, 6)));
  EXPECT_FALSE(at::allclose(before.slice(1, 6), after.slice(1, 6)));
}

TEST(GPTModel, ATokenSeesTheWindowOfItsLayersAlone) {
  TransformerConfig config = tiny_llama();
  config.attention_windows = {2, 1, 0};
  const auto model = make_model(config);
  make_lively(*model);
  ModelInput input = some_input(1, 10);
  const at::Tensor before = model->logits(input);
  input.tokens = input.tokens.clone();
  input.tokens[0][3] = 59;
  const at::Tensor after = model->logits(input);
  // Token 3 reaches 2 + 1 + 0 positions further, and no others.
  EXPECT_TRUE(at::equal(before.slice(1, 7), after.slice(1, 7)));
  for (const std::int64_t position : {3, 4, 5, 6})
    EXPECT_FALSE(at::allclose(before.select(1, position), after.select(1, position))) << position;
}

TEST(GPTModel, CappedScoresComeNearToAnEvenAttention) {
  TransformerConfig config = tiny_llama();
  const auto logits_with = [&](double cap) {
    config.attn_logit_softcapping = cap;
    const auto model = make_model(config);
    make_lively(*model);
    return model->logits(some_input());
  };
  const at::Tensor plain = logits_with(0.0);
  EXPECT_TRUE(at::allclose(logits_with(1e6), plain, 1e-4, 1e-4));
  EXPECT_FALSE(at::allclose(logits_with(0.1), plain, 1e-2, 1e-2));
}

TEST(GPTModel, ChunksOfAPipelineComputeWhatTheWholeModelDoes) {
  for (const TransformerConfig& config : {tiny_llama(), tiny_gpt2()}) {
    GPTModel first(config, first_layer(config), parallel::Mesh());
    GPTModel last(config, all_but_first_layer(config), parallel::Mesh());
    first.initialize();
    last.initialize();
    const ModelInput input = some_input();
    const auto whole = make_model(config);
    EXPECT_TRUE(at::equal(last.forward(input, first.forward(input)), whole->forward(input)));
    EXPECT_EQ(last.parameters().find("decoder.layers.0.mlp.linear_fc1.weight"), nullptr);
    EXPECT_NE(last.parameters().find("decoder.layers.2.mlp.linear_fc1.weight"), nullptr);
  }
}

TEST(GPTModel, ATiedOutputLayerInAnotherChunkIsASharedCopy) {
  const TransformerConfig config = tiny_gpt2();
  GPTModel last(config, all_but_first_layer(config), parallel::Mesh());
  const parallel::Parameter* copy = last.parameters().find("embedding.word_embeddings.weight");
  ASSERT_NE(copy, nullptr);
  EXPECT_TRUE(copy->spec().shared_copy);
  EXPECT_TRUE(copy->spec().tied_across_stages);
  EXPECT_EQ(copy->spec().role, parallel::Role::output_layer);
}

TEST(GPTModel, WordEmbeddingsAndOutputLayerAreMarkedAsSuch) {
  for (const bool tied : {true, false}) {
    TransformerConfig config = tiny_gpt2();
    config.untie_embeddings_and_output_weights = !tied;
    const auto model = make_model(config);
    std::map<std::string, parallel::Role> marked;
    for (const auto& parameter : model->parameters().all()) {
      if (parameter->spec().role != parallel::Role::other) marked[parameter->name()] = parameter->spec().role;
      const bool is_embedding = parameter->name() == "embedding.word_embeddings.weight";
      EXPECT_EQ(parameter->uses(), tied && is_embedding ? 2 : 1) << parameter->name();
    }
    std::map<std::string, parallel::Role> expected = {
        {"embedding.word_embeddings.weight", parallel::Role::word_embeddings}};
    if (!tied) expected["output_layer.weight"] = parallel::Role::output_layer;
    EXPECT_EQ(marked, expected);
  }
}

TEST(GPTModel, ATiedWeightGathersBothGradients) {
  TransformerConfig config = tiny_gpt2();
  const auto tied = make_model(config);
  config.untie_embeddings_and_output_weights = true;
  const auto untied = make_model(config);
  {
    const at::NoGradGuard no_grad;
    untied->parameters()
        .find("output_layer.weight")
        ->weight.value.copy_(tied->parameters().find("embedding.word_embeddings.weight")->weight.value);
  }
  for (const auto* model : {tied.get(), untied.get()}) losses_of(*model, some_input()).sum().backward();
  const auto gradient = [](const GPTModel& model, const char* name) {
    return model.parameters().find(name)->weight.value.grad();
  };
  EXPECT_TRUE(at::allclose(
      gradient(*tied, "embedding.word_embeddings.weight"),
      gradient(*untied, "embedding.word_embeddings.weight") + gradient(*untied, "output_layer.weight"), 1e-4,
      1e-6));
}

TEST(GPTModel, CachedKeysGiveTheLogitsOfTheWholeSequence) {
  TransformerConfig windowed = tiny_llama();
  windowed.attention_windows = {3, -1, 1};
  windowed.attn_logit_softcapping = 2.0;
  for (const TransformerConfig& config : {tiny_llama(), tiny_gpt2(), windowed}) {
    const auto model = make_model(config);
    make_lively(*model);
    const at::NoGradGuard no_grad;
    const at::Tensor tokens = some_tokens(2, 12);
    const at::Tensor expected = model->logits({.tokens = tokens});
    KeyValueCache cache = model->make_cache();
    std::vector<at::Tensor> parts;
    for (const auto& [first, last] : {std::pair{0, 5}, {5, 6}, {6, 7}, {7, 12}}) {
      parts.push_back(model->logits({.tokens = tokens.slice(1, first, last), .cache = &cache}));
    }
    EXPECT_EQ(cache.length, 12);
    EXPECT_TRUE(at::allclose(at::cat(parts, 1), expected, 1e-4, 1e-5));
  }
}

TEST(GPTModel, DocumentsWithTheirOwnPositionsActAsSamplesOfTheirOwn) {
  const auto model = make_model(tiny_llama());
  make_lively(*model);
  const at::Tensor joined = some_tokens(1, 10);
  const at::Tensor documents = at::tensor({0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, at::kInt).view({1, 10});
  const at::Tensor positions = at::tensor({0, 1, 2, 3, 0, 1, 2, 3, 4, 5}, at::kLong).view({1, 10});
  const at::Tensor logits = model->logits({.tokens = joined, .positions = positions, .documents = documents});
  const at::Tensor apart = at::cat(
      {model->logits({.tokens = joined.slice(1, 0, 4)}), model->logits({.tokens = joined.slice(1, 4)})}, 1);
  EXPECT_TRUE(at::allclose(logits, apart, 1e-4, 1e-5));
}

TEST(GPTModel, DropoutDependsOnTheSampleAndTheStepAlone) {
  TransformerConfig config = tiny_llama();
  config.hidden_dropout = 0.2;
  config.attention_dropout = 0.2;
  const auto model = make_model(config);
  make_lively(*model);
  ModelInput whole = some_input(4, 10);
  whole.training = true;
  whole.step = 3;
  const at::Tensor loss = losses_of(*model, whole);
  EXPECT_TRUE(at::equal(losses_of(*model, whole), loss));
  ModelInput half = whole;
  half.tokens = whole.tokens.slice(0, 2);
  half.labels = whole.labels.slice(0, 2);
  half.first_sample = 2;
  EXPECT_TRUE(at::allclose(losses_of(*model, half), loss.slice(0, 2), 1e-5, 1e-6));
  ModelInput next = whole;
  next.step = 4;
  EXPECT_FALSE(at::allclose(losses_of(*model, next), loss));
  ModelInput evaluation = whole;
  evaluation.training = false;
  EXPECT_FALSE(at::allclose(losses_of(*model, evaluation), loss));
}

TEST(GPTModel, GradientsOfAllParametersAgreeWithDifferencesAlongThem) {
  TransformerConfig normed = tiny_llama();
  normed.qk_layernorm = true;
  normed.add_qkv_bias = true;
  normed.final_logit_softcapping = 5.0;
  normed.attn_logit_softcapping = 2.0;
  normed.attention_windows = {3, -1, 1};
  for (TransformerConfig config : {tiny_llama(), tiny_gpt2(), normed}) {
    config.params_dtype = at::kDouble;
    const auto model = make_model(config);
    make_lively(*model);
    const ModelInput input = some_input();
    losses_of(*model, input).mean().backward();
    const at::NoGradGuard no_grad;
    for (const auto& parameter : model->parameters().all()) {
      at::Tensor& value = parameter->weight.value;
      const at::Tensor gradient = value.grad();
      const double norm = gradient.norm().item<double>();
      ASSERT_GT(norm, 0.0) << parameter->name();
      const at::Tensor direction = gradient / norm;
      constexpr double step = 1e-4;
      value.add_(direction, step);
      const double high = losses_of(*model, input).mean().item<double>();
      value.add_(direction, -2.0 * step);
      const double low = losses_of(*model, input).mean().item<double>();
      value.add_(direction, step);
      EXPECT_NEAR((high - low) / (2.0 * step) / norm, 1.0, 1e-4) << parameter->name();
    }
  }
}

TEST(GPTModel, RefusesNumbersThatDoNotFitTogether) {
  TransformerConfig config = tiny_llama();
  config.num_query_groups = 3;
  EXPECT_THAT(primus::testing::message_of([&] { make_model(config); }),
              HasSubstr("num_attention_heads (4) must be a multiple of num_query_groups (3)"));
}

TEST(Flops, EqualTheOriginalsForLlama) {
  TransformerConfig llama = llama_8b();
  llama.padded_vocab_size = 131200;
  EXPECT_DOUBLE_EQ(flops_per_iteration(llama, 128, 8192), 5.404649406332928e16);  // Llama 3.1 8B
  llama.num_query_groups = 32;
  llama.ffn_hidden_size = 11008;
  EXPECT_DOUBLE_EQ(flops_per_iteration(llama, 256, 4096), 4.750220085480653e16);  // Llama 2 7B
}

TEST(TransformerConfig, SurvivesJson) {
  TransformerConfig config = tiny_gpt2();
  config.rope.llama_scaling = kernels::LlamaRopeScaling{.factor = 4.0};
  const std::string text = to_json(config);
  EXPECT_EQ(to_json(transformer_config_from_json(text, "model.json")), text);
  EXPECT_THAT(text, HasSubstr("\"normalization\": \"LayerNorm\""));
}

TEST(TransformerConfig, NamesTheKeyThatIsMissingOrWrongInJson) {
  const auto message_of = [](const std::string& text) {
    return primus::testing::message_of([&] { transformer_config_from_json(text, "model.json"); });
  };
  EXPECT_EQ(message_of("{}"), "model.json: 'num_layers' is missing");
  for (const char* number : {"2.5", "1e300", "true", "18446744073709551615"}) {
    EXPECT_EQ(message_of(fmt::format(R"({{"num_layers": {}}})", number)),
              "model.json: 'num_layers' must be a whole number, at most 9223372036854775807");
  }
  EXPECT_EQ(message_of("[1"), "model.json: this is not a JSON object");
  std::string text = to_json(tiny_llama());
  text.replace(text.find("\"RMSNorm\""), 9, "\"BatchNorm\"");
  EXPECT_EQ(message_of(text), "model.json: 'normalization' has an unknown value: \"BatchNorm\"");
}

}  // namespace
}  // namespace primus::model
