#include "optimizer/optimizer.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "core/error.h"
#include "tests/optimizer/model.h"

namespace primus::optimizer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Kind = OptimizerConfig::Kind;

BufferOptions with_buckets(BufferOptions options) {
  options.bucket_size = 8000;
  return options;
}

BufferOptions shard_of_three(int rank) {
  return {.data_parallel_rank = rank, .data_parallel_size = 3, .use_distributed_optimizer = true};
}

/// A model with its buffer and optimizer.
struct Training {
  explicit Training(const OptimizerConfig& config, at::ScalarType dtype = at::kFloat,
                    BufferOptions options = {})
      : model(testing::small_model(dtype)),
        buffer(testing::pointers(*model), with_buckets(options)),
        optimizer({&buffer}, config, parallel::Mesh()) {}

  double step(int number, double learning_rate = 1e-2, double weight_decay = 0.1) {
    testing::fill_gradients(*model, number);
    return optimizer.step(
        {.learning_rate = learning_rate, .weight_decay = weight_decay, .iteration = number});
  }
  at::Tensor weight(const std::string& name) const { return model->find(name)->weight.value.detach(); }

  std::unique_ptr<parallel::ParameterSet> model;
  ParamAndGradBuffer buffer;
  Optimizer optimizer;
};

/// PyTorch's own fused optimizers on copies of the parameters.
class Reference {
 public:
  Reference(const Training& training, const OptimizerConfig& config) : config_(config) {
    for (const auto& parameter : training.model->all()) {
      names.push_back(parameter->name());
      weights.push_back(parameter->weight.value.detach().to(at::kFloat, false, /*copy=*/true));
      decays_.push_back(parameter->spec().decay);
      first_.push_back(at::zeros_like(weights.back()));
      second_.push_back(at::zeros_like(weights.back()));
    }
  }

  void step(const Training& training, double learning_rate, double weight_decay, double scale) {
    ++step_;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const at::Tensor gradient = training.model->all()[i]->weight.sink->main_grad * scale;
      const double decay = decays_[i] ? weight_decay : 0.0;
      std::vector<at::Tensor> steps = {at::scalar_tensor(static_cast<float>(step_))};
      std::vector<at::Tensor> w = {weights[i]}, g = {gradient}, m = {first_[i]}, v = {second_[i]}, none;
      if (config_.kind == Kind::sgd) {
        at::_fused_sgd_(w, g, m, decay, config_.sgd_momentum, learning_rate, 0, false, false, step_ == 1);
      } else if (config_.decoupled_weight_decay) {
        at::_fused_adamw_(w, g, m, v, none, steps, learning_rate, config_.adam_beta1, config_.adam_beta2,
                          decay, config_.adam_eps, false, false);
      } else {
        at::_fused_adam_(w, g, m, v, none, steps, learning_rate, config_.adam_beta1, config_.adam_beta2,
                         decay, config_.adam_eps, false, false);
      }
    }
  }

  std::vector<std::string> names;
  std::vector<at::Tensor> weights;

 private:
  OptimizerConfig config_;
  std::vector<bool> decays_;
  std::vector<at::Tensor> first_, second_;
  int step_ = 0;
};

void expect_like_pytorch(const OptimizerConfig& config) {
  Training training(config);
  Reference reference(training, config);
  for (int i = 1; i <= 30; ++i) {
    const double norm = training.step(i);
    reference.step(training, 1e-2, 0.1, config.clip_grad > 0 ? std::min(1.0, config.clip_grad / norm) : 1.0);
  }
  for (std::size_t i = 0; i < reference.weights.size(); ++i) {
    const at::Tensor difference = (training.weight(reference.names[i]) - reference.weights[i]).abs();
    EXPECT_LT(difference.max().item<float>(), 1e-5) << reference.names[i];
    EXPECT_GT(reference.weights[i].abs().max().item<float>(), 1e-3);
  }
}

TEST(Optimizer, AdamWEqualsPyTorch) {
  expect_like_pytorch({.adam_beta2 = 0.95, .clip_grad = 0});
  expect_like_pytorch({.adam_beta1 = 0.8, .adam_eps = 1e-5, .clip_grad = 0.2});
}
TEST(Optimizer, AdamWithL2DecayEqualsPyTorch) {
  expect_like_pytorch({.decoupled_weight_decay = false, .clip_grad = 0});
}
TEST(Optimizer, SgdEqualsPyTorch) { expect_like_pytorch({.kind = Kind::sgd, .clip_grad = 0}); }

TEST(Optimizer, ReturnsTheNormBeforeClippingOfEachParameterOnce) {
  Training training({.clip_grad = 1e-3});
  testing::fill_gradients(*training.model, 1);
  double sum = 0;
  for (const auto& parameter : training.model->all())
    sum += parameter->weight.sink->main_grad.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(training.optimizer.step({.learning_rate = 0, .gradient_scale = 0.5}), 0.5 * std::sqrt(sum),
              1e-12);
}

TEST(Optimizer, ASharedCopyCountsNowhereButIsUpdated) {
  parallel::ParameterSet set(at::kFloat, at::kCPU);
  set.add({.name = "a",
           .global_shape = {3},
           .init = {.kind = parallel::Initializer::Kind::constant, .value = 2}});
  set.add({.name = "b",
           .global_shape = {3},
           .init = {.kind = parallel::Initializer::Kind::constant, .value = 2},
           .shared_copy = true});
  for (const auto& parameter : set.all()) parameter->initialize(1);
  ParamAndGradBuffer buffer(testing::pointers(set), {});
  Optimizer optimizer({&buffer}, {.clip_grad = 0}, parallel::Mesh());
  EXPECT_DOUBLE_EQ(optimizer.params_norm(), std::sqrt(12.0));
  EXPECT_EQ(optimizer.num_zeros_in_grad(), 3);
  set.find("a")->weight.sink->main_grad.fill_(1);
  set.find("b")->weight.sink->main_grad.fill_(1);
  EXPECT_DOUBLE_EQ(optimizer.step({.learning_rate = 0.1}), std::sqrt(3.0));
  EXPECT_TRUE(at::equal(set.find("a")->weight.value, set.find("b")->weight.value));
  EXPECT_EQ(optimizer.num_zeros_in_grad(), 0);
}

TEST(Optimizer, BfloatWeightsAreTheRoundedMainWeightsOfAnFp32Run) {
  Training half({}, at::kBFloat16), full({});
  for (const auto& parameter : full.model->all()) {
    const at::NoGradGuard no_grad;
    parameter->weight.value.copy_(half.weight(parameter->name()));
  }
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(half.step(i), full.step(i));
  for (const auto& parameter : full.model->all()) {
    EXPECT_TRUE(at::equal(half.weight(parameter->name()), parameter->weight.value.detach().to(at::kBFloat16)))
        << parameter->name();
  }
}

/// What the optimizer's main weight becomes after an update that gives `main`: a tie that is rounded towards
/// zero moves by one fp32 number.
float kept(float main) {
  const auto bits = std::bit_cast<std::uint32_t>(main);
  return (bits & 0x1FFFFU) == 0x8000U ? std::bit_cast<float>(bits - 1) : main;
}

/// Of every step: fp32 main weights in memory of their own, then rounded.
void expect_split_main_weights_like_whole(const OptimizerConfig& config) {
  Training split(config, at::kBFloat16), whole(config);
  const at::NoGradGuard no_grad;
  whole.buffer.weights().copy_(split.buffer.weights());
  std::int64_t ties = 0;
  for (int i = 1; i <= 50; ++i) {
    EXPECT_EQ(split.step(i, 1e-3), whole.step(i, 1e-3));
    ASSERT_TRUE(at::equal(split.buffer.weights(), whole.buffer.weights().to(at::kBFloat16))) << "step " << i;
    auto* main = whole.buffer.weights().mutable_data_ptr<float>();
    for (std::int64_t k = 0; k < whole.buffer.weights().numel(); ++k) {
      ties += main[k] != kept(main[k]) ? 1 : 0;
      main[k] = kept(main[k]);
    }
    for (const parallel::TensorPiece& piece : split.optimizer.state_pieces()) {
      constexpr std::string_view prefix = "optimizer.state.fp32_param.";
      if (!piece.name.starts_with(prefix)) continue;
      ASSERT_EQ(piece.dtype(), at::kFloat);
      ASSERT_TRUE(at::equal(piece.values(), whole.weight(piece.name.substr(prefix.size())))) << piece.name;
    }
    EXPECT_EQ(split.optimizer.params_norm(), whole.optimizer.params_norm());
  }
  EXPECT_GT(ties, 0);
}

TEST(Optimizer, FiftyStepsWithRemaindersEqualThoseWithWholeMainWeights) {
  expect_split_main_weights_like_whole({});
  expect_split_main_weights_like_whole({.decoupled_weight_decay = false, .clip_grad = 0});
  expect_split_main_weights_like_whole({.kind = Kind::sgd});
}

TEST(Optimizer, WeightsThatWereReloadedAreTheMainWeights) {
  Training training({}, at::kBFloat16);
  for (int i = 1; i <= 3; ++i) training.step(i);
  const double norm = training.optimizer.params_norm();
  training.optimizer.reload_main_weights();
  EXPECT_NE(training.optimizer.params_norm(), norm);
  for (const parallel::TensorPiece& piece : training.optimizer.state_pieces()) {
    if (!piece.remainder.defined()) continue;
    EXPECT_TRUE(at::equal(piece.values(), piece.data.to(at::kFloat)));
  }
}

TEST(Optimizer, PaddingStaysZero) {
  Training training({}, at::kBFloat16);
  for (int i = 1; i <= 3; ++i) training.step(i);
  std::int64_t covered = 0;
  for (const auto& parameter : training.model->all())
    covered += parameter->weight.value.count_nonzero().item<std::int64_t>();
  EXPECT_EQ(training.buffer.weights().count_nonzero().item<std::int64_t>(), covered);
}

TEST(Optimizer, DoesNotDependOnTheNumberOfThreads) {
  const int threads = at::get_num_threads();
  std::vector<double> norms[2];
  at::Tensor weights[2];
  for (const int run : {0, 1}) {
    at::set_num_threads(run == 0 ? 1 : 3);
    Training training({});
    for (int i = 1; i <= 5; ++i) norms[run].push_back(training.step(i));
    weights[run] = training.buffer.weights().clone();
  }
  at::set_num_threads(threads);
  EXPECT_EQ(norms[0], norms[1]);
  EXPECT_TRUE(at::equal(weights[0], weights[1]));
}

TEST(Optimizer, ShardsTogetherUpdateWhatOneUpdates) {
  // Without clipping, because each shard sees the norm of its part only (their sum is a collective's work).
  const OptimizerConfig config{.clip_grad = 0};
  Training whole(config, at::kBFloat16);
  for (int i = 1; i <= 3; ++i) whole.step(i);
  at::Tensor joined;
  double sum = 0;
  for (int rank = 0; rank < 3; ++rank) {
    Training shard(config, at::kBFloat16, shard_of_three(rank));
    const at::Tensor start = shard.buffer.weights().clone();
    for (int i = 1; i <= 3; ++i) {
      const double norm = shard.step(i);
      if (i == 3) sum += norm * norm;
    }
    const at::Tensor change = shard.buffer.weights() - start;
    joined = joined.defined() ? joined + change : start + change;
  }
  std::map<std::string, at::Tensor> expected;
  Training view(config, at::kBFloat16, shard_of_three(0));
  const at::NoGradGuard no_grad;
  view.buffer.weights().copy_(joined);
  for (const auto& parameter : whole.model->all()) {
    EXPECT_TRUE(at::allclose(view.weight(parameter->name()), whole.weight(parameter->name()), 1e-2, 1e-4));
  }
  EXPECT_NEAR(std::sqrt(sum), whole.step(3), 1e-9);
}

TEST(Optimizer, DecaySkipsWhatTheSpecSaysAndTheEdgesHaveTheirOwnRate) {
  Training training({.clip_grad = 0});
  const std::string norm = "decoder.layers.0.input_layernorm.weight";
  const std::string fc1 = "decoder.layers.0.mlp.linear_fc1.weight";
  const std::string embedding = "embedding.word_embeddings.weight";
  const at::Tensor norm_before = training.weight(norm).clone(), fc1_before = training.weight(fc1).clone(),
                   embedding_before = training.weight(embedding).clone();
  training.buffer.zero_gradients();
  training.optimizer.step({.learning_rate = 0.5, .decoupled_learning_rate = 0.25, .weight_decay = 0.1});
  EXPECT_TRUE(at::equal(training.weight(norm), norm_before));
  EXPECT_TRUE(at::allclose(training.weight(fc1), fc1_before * 0.95));
  EXPECT_TRUE(at::allclose(training.weight(embedding), embedding_before * 0.975));
}

TEST(Optimizer, OnlyWordEmbeddingsAndOutputLayerHaveTheDecoupledRate) {
  // Megatron marks these two weights (is_embedding_or_output_parameter), and no position embeddings.
  parallel::ParameterSet set(at::kFloat, at::kCPU);
  const std::map<std::string, double> rates = {{"words", 0.25}, {"positions", 0.5}, {"output", 0.25}};
  set.add({.name = "words", .global_shape = {5, 7}, .role = parallel::Role::word_embeddings});
  set.add({.name = "positions", .global_shape = {5, 7}});
  set.add({.name = "output", .global_shape = {5, 7}, .role = parallel::Role::output_layer});
  for (const auto& parameter : set.all()) parameter->initialize(1234);
  ParamAndGradBuffer buffer(testing::pointers(set), {});
  Optimizer optimizer({&buffer}, {.clip_grad = 0}, parallel::Mesh());
  std::map<std::string, at::Tensor> before;
  for (const auto& parameter : set.all())
    before[parameter->name()] = parameter->weight.value.detach().clone();
  buffer.zero_gradients();
  optimizer.step({.learning_rate = 0.5, .decoupled_learning_rate = 0.25, .weight_decay = 0.1});
  for (const auto& [name, rate] : rates) {
    EXPECT_TRUE(at::allclose(set.find(name)->weight.value.detach(), before[name] * (1 - rate * 0.1))) << name;
  }
}

TEST(Optimizer, ABadGradientStopsBeforeAnythingChangesAndIsNamed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Training training({});
    testing::fill_gradients(*training.model, 1);
    training.model->find("decoder.layers.0.mlp.linear_fc1.weight")
        ->weight.sink->main_grad.select(0, 3)
        .select(0, 5)
        .fill_(bad);
    const at::Tensor before = training.buffer.weights().clone();
    EXPECT_THAT([&] { training.optimizer.step({.learning_rate = 1, .iteration = 17}); },
                ThrowsMessage<Error>(
                    AllOf(HasSubstr("iteration 17"), HasSubstr("decoder.layers.0.mlp.linear_fc1.weight"))));
    EXPECT_TRUE(at::equal(before, training.buffer.weights()));
    EXPECT_EQ(training.optimizer.steps(), 0);
  }
}

/// State moves through its pieces, as through a checkpoint.
TEST(Optimizer, ContinuesBitForBitFromItsSavedState) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Training first({}, dtype), second({}, dtype);
    for (int i = 1; i <= 3; ++i) first.step(i);
    // Main weights bring their rounding along.
    if (dtype == at::kFloat) second.buffer.weights().copy_(first.buffer.weights());
    const auto from = first.optimizer.state_pieces(), to = second.optimizer.state_pieces();
    ASSERT_EQ(from.size(), to.size());
    ASSERT_EQ(from.size(), (dtype == at::kFloat ? 2 : 3) * first.model->all().size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      ASSERT_EQ(from[i].name, to[i].name);
      to[i].assign(from[i].values());
    }
    second.optimizer.set_steps(first.optimizer.steps());
    EXPECT_EQ(first.step(4), second.step(4));
    EXPECT_TRUE(at::equal(first.buffer.weights(), second.buffer.weights()));
  }
}

TEST(Optimizer, PiecesOfAllShardsCoverEveryElementOnce) {
  std::map<std::string, std::int64_t> covered;
  for (int rank = 0; rank < 3; ++rank) {
    Training shard({}, at::kBFloat16, shard_of_three(rank));
    for (const parallel::TensorPiece& piece : shard.optimizer.state_pieces()) {
      EXPECT_FALSE(piece.replica);
      EXPECT_EQ(piece.data.numel(), piece.flat_end - piece.flat_begin);
      covered[piece.name] += piece.data.numel();
    }
  }
  const auto model = testing::small_model();
  for (const auto& parameter : model->all())
    EXPECT_EQ(covered["optimizer.state.exp_avg_sq." + parameter->name()], parameter->local_numel());
}

}  // namespace
}  // namespace primus::optimizer
