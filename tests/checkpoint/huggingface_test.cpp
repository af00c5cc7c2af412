#include "checkpoint/huggingface.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/file.h"
#include "model/generation.h"
#include "optimizer/optimizer.h"
#include "optimizer/param_and_grad_buffer.h"
#include "optimizer/scheduler.h"
#include "tests/checkpoint/huggingface_fixture.h"
#include "tests/temporary_directory.h"

namespace primus::checkpoint {
namespace {

namespace fs = std::filesystem;
using primus::testing::TemporaryDirectory;

std::unique_ptr<model::GPTModel> load(const fs::path& directory) {
  const model::TransformerConfig config = read_huggingface_config(directory).model;
  auto model = std::make_unique<model::GPTModel>(config, model::ChunkSpec::whole(config), parallel::Mesh());
  load_weights(import_huggingface(directory, config), *model, directory);
  return model;
}

/// The logits of our padding rows are 0, which Hugging Face's softmax does not have; -inf takes them out of
/// ours.
at::Tensor loss_of(const model::GPTModel& model, const at::Tensor& tokens) {
  const at::Tensor logits =
      model.logits({.tokens = tokens.slice(1, 0, -1)}).slice(-1, 0, model.config().vocab_size);
  const at::Tensor labels = tokens.slice(1, 1).flatten();
  return at::cross_entropy_loss(logits.flatten(0, 1), labels);
}

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

class HuggingFaceParity : public ::testing::TestWithParam<const char*> {};

TEST_P(HuggingFaceParity, LogitsLossAndEveryGradientAreThoseOfTransformers) {
  const auto model = load(huggingface_fixture(GetParam()));
  const SafetensorsFile expected(huggingface_fixture(GetParam()) / "expected.safetensors");
  const at::Tensor tokens = expected.tensor("tokens")[0];
  const at::Tensor logits = model->logits({.tokens = tokens.slice(1, 0, -1)});
  EXPECT_LT(relative_error(logits.slice(-1, 0, model->config().vocab_size), expected.tensor("logits")), 1e-5);
  const at::Tensor loss = loss_of(*model, tokens);
  EXPECT_NEAR(loss.item<double>() / expected.tensor("loss").item<double>(), 1.0, 1e-6);
  loss.backward();
  const TensorSource gradients = [&](const std::string& name) {
    return model->parameters().find(name)->weight.value.grad();
  };
  std::size_t compared = 0;
  for (const TensorRule& rule : export_rules(model->config())) {
    const at::Tensor reference = expected.tensor("gradient." + rule.name);
    EXPECT_LT(relative_error(rule.make(gradients), reference), 1e-4) << rule.name;
    ++compared;
  }
  const auto is_gradient = [](const TensorInfo& info) { return info.name.starts_with("gradient."); };
  EXPECT_EQ(static_cast<std::ptrdiff_t>(compared),
            std::count_if(expected.tensors().begin(), expected.tensors().end(), is_gradient));
}

TEST_P(HuggingFaceParity, GreedyTextIsThatOfTransformers) {
  const auto model = load(huggingface_fixture(GetParam()));
  const at::Tensor expected =
      SafetensorsFile(huggingface_fixture(GetParam()) / "expected.safetensors").tensor("greedy");
  const std::int64_t* tokens = expected.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> text(tokens, tokens + 4);
  model::generate(*model, text, {.sampling = {.temperature = 0.0}, .max_new_tokens = 16},
                  [&](std::int64_t token) { text.push_back(token); });
  EXPECT_EQ(text, std::vector<std::int64_t>(tokens, tokens + 20));
}

INSTANTIATE_TEST_SUITE_P(Families, HuggingFaceParity, ::testing::Values("llama", "llama3", "qwen2", "qwen3"),
                         [](const auto& name) { return std::string(name.param); });

TEST(HuggingFaceParity, TrainingFollowsAPlainPyTorchLoop) {
  const auto model = load(huggingface_fixture("llama"));
  const SafetensorsFile expected(huggingface_fixture("llama") / "expected.safetensors");
  const nlohmann::json training = nlohmann::json::parse(read_file(huggingface_fixture("training.json")));
  const at::Tensor batches = expected.tensor("tokens");
  const at::Tensor losses = expected.tensor("train.losses");

  optimizer::ParamAndGradBuffer buffer(optimizer::group_for_buffers(model->parameters())[0], {});
  optimizer::Optimizer optimizer({&buffer},
                                 {.adam_beta1 = training["betas"][0],
                                  .adam_beta2 = training["betas"][1],
                                  .adam_eps = training["eps"],
                                  .clip_grad = training["clip"]},
                                 parallel::Mesh());
  const optimizer::OptimizerParamScheduler start({.max_lr = training["lr"],
                                                  .min_lr = training["min_lr"],
                                                  .lr_warmup_steps = training["warmup"],
                                                  .lr_decay_steps = training["steps"],
                                                  .lr_decay_style = optimizer::DecayStyle::cosine,
                                                  .start_weight_decay = training["weight_decay"],
                                                  .end_weight_decay = training["weight_decay"]});
  optimizer::OptimizerParamScheduler scheduler = start;
  ASSERT_EQ(batches.size(0), training["steps"].get<std::int64_t>());
  for (std::int64_t step = 0; step < batches.size(0); ++step) {
    buffer.zero_gradients();
    const at::Tensor loss = loss_of(*model, batches[step]);
    loss.backward();
    EXPECT_NEAR(scheduler.learning_rate(), expected.tensor("train.rates")[step].item<double>(), 1e-12);
    const double norm = optimizer.step({.learning_rate = scheduler.learning_rate(),
                                        .weight_decay = scheduler.weight_decay(),
                                        .iteration = step});
    scheduler.step(1);
    EXPECT_NEAR(loss.item<double>() / losses[step].item<double>(), 1.0, 1e-4) << "step " << step;
    EXPECT_NEAR(norm / expected.tensor("train.grad_norms")[step].item<double>(), 1.0, 1e-3)
        << "step " << step;
  }
  EXPECT_LT(losses[-1].item<double>(),
            losses[0].item<double>() - 0.3);  // or the comparison would show little
}

TEST(HuggingFaceExport, WritesBackTheSameTensorsAndConfiguration) {
  for (const char* name : {"llama", "llama3", "qwen2", "qwen3"}) {
    const TemporaryDirectory directory;
    const auto model = load(huggingface_fixture(name));
    export_huggingface({.config = model->config(), .tensors = tensors_of(*model)}, directory.path() / "out");
    const SafetensorsFile original(huggingface_fixture(name) / "model.safetensors");
    const SafetensorsFile written(directory.path() / "out" / "model.safetensors");
    EXPECT_EQ(written.tensors().size(), original.tensors().size());
    for (const TensorInfo& info : original.tensors()) {
      EXPECT_TRUE(at::equal(written.tensor(info.name), original.tensor(info.name))) << info.name;
    }
    EXPECT_EQ(model::to_json(read_huggingface_config(directory.path() / "out").model),
              model::to_json(model->config()));
    EXPECT_EQ(written.metadata().at("format"), "pt");
  }
}

TEST(HuggingFaceExport, ShardsAreListedInAnIndexAndReadBack) {
  const TemporaryDirectory directory;
  const auto model = load(huggingface_fixture("llama"));
  const fs::path out = directory.path() / "out";
  export_huggingface({.config = model->config(), .tensors = tensors_of(*model), .max_shard_bytes = 50'000},
                     out);
  EXPECT_FALSE(fs::exists(out / "model.safetensors"));
  EXPECT_TRUE(fs::exists(out / "model.safetensors.index.json"));
  const auto again = load(out);
  for (const auto& parameter : model->parameters().all()) {
    EXPECT_TRUE(
        at::equal(again->parameters().find(parameter->name())->weight.value, parameter->weight.value));
  }
}

TEST(HuggingFaceExport, RefusesAnExistingDirectoryAndModelsThatItCannotExpress) {
  const TemporaryDirectory directory;
  const auto model = load(huggingface_fixture("llama"));
  const HuggingFaceExport source{.config = model->config(), .tensors = tensors_of(*model)};
  EXPECT_THROW(export_huggingface(source, directory.path()), UserError);
  HuggingFaceExport gelu = source;
  gelu.config.activation = kernels::Activation::gelu;
  EXPECT_THROW(export_huggingface(gelu, directory.path() / "out"), UserError);
  EXPECT_FALSE(fs::exists(directory.path() / "out"));
}

TEST(HuggingFaceExport, AFailureLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const auto model = load(huggingface_fixture("llama"));
  const TensorSource broken = [&](const std::string& name) {
    if (name.starts_with("output_layer")) throw Error("the disk is gone");
    return tensors_of(*model)(name);
  };
  EXPECT_THROW(export_huggingface({.config = model->config(), .tensors = broken}, directory.path() / "out"),
               Error);
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

}  // namespace
}  // namespace primus::checkpoint
