#include "train/replica.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "tests/model/tiny_config.h"

namespace primus::train {
namespace {

using pipeline::Action;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t num_microbatches = 3;

StepBatch batch_of(std::int64_t iteration) {
  StepBatch batch{.iteration = iteration};
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    const at::Tensor text = (at::arange(17, at::kLong) * 7919 + iteration * 31 + m * 101).remainder(50);
    at::Tensor mask = at::ones({1, 16});
    mask.narrow(1, 0, m).zero_();  // Another number of tokens in each.
    batch.micro_batches.push_back({.input = {.tokens = text.slice(0, 0, 16).unsqueeze(0),
                                             .labels = text.slice(0, 1).unsqueeze(0),
                                             .training = true,
                                             .step = iteration,
                                             .first_sample = m},
                                   .loss_mask = mask,
                                   .samples = {10 * iteration + m}});
  }
  return batch;
}

struct Setup {
  std::string name;
  model::TransformerConfig model;
};

std::ostream& operator<<(std::ostream& out, const Setup& setup) { return out << setup.name; }

std::vector<Setup> setups() {
  std::vector<Setup> result;
  for (const bool fused : {false, true}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const bool tied : {false, true}) {
        model::TransformerConfig config = tied ? model::tiny_gpt2() : model::tiny_llama();
        config.untie_embeddings_and_output_weights = !tied;
        config.params_dtype = dtype;
        if (fused) config.kernels = kernels::KernelOptions::all_fused();
        result.push_back({fmt::format("{}_{}_{}", tied ? "gpt2" : "llama", c10::toString(dtype),
                                      fused ? "fused" : "reference"),
                          config});
      }
    }
  }
  return result;
}

/// The model cut into chunks of one layer each, with all of it on this rank.
std::vector<model::ChunkSpec> one_layer_each(const model::TransformerConfig& config) {
  std::vector<model::ChunkSpec> chunks;
  for (const model::LayerSpec& layer : model::layer_specs(config)) {
    chunks.push_back({.layers = {layer},
                      .pre_process = layer.number == 0,
                      .post_process = layer.number == config.num_layers - 1});
  }
  return chunks;
}

struct Outcome {
  std::vector<double> losses;
  std::vector<double> norms;
  std::map<std::string, at::Tensor> weights;
};

Outcome train(const ReplicaOptions& options, const pipeline::Schedule& schedule) {
  Replica replica(options, parallel::Mesh());
  replica.initialize();
  Outcome result;
  for (std::int64_t iteration = 1; iteration <= 4; ++iteration) {
    const LossSums sums = replica.forward_backward(batch_of(iteration), schedule);
    result.losses.push_back(sums.mean());
    result.norms.push_back(replica.optimizer().step({.learning_rate = 1e-2, .iteration = iteration}));
  }
  for (const parallel::TensorPiece& piece : replica.pieces(false))
    result.weights[piece.name] = piece.data.detach().clone();
  return result;
}

void expect_equal(const Outcome& trained, const Outcome& expected) {
  EXPECT_EQ(trained.losses, expected.losses);
  EXPECT_EQ(trained.norms, expected.norms);
  EXPECT_EQ(trained.weights.size(), expected.weights.size());
  for (const auto& [name, weight] : expected.weights)
    EXPECT_TRUE(at::equal(trained.weights.at(name), weight)) << name;
}

class Replicas : public ::testing::TestWithParam<Setup> {
 protected:
  ReplicaOptions options() const {
    const model::TransformerConfig& config = GetParam().model;
    return {.model = config, .chunks = {model::ChunkSpec::whole(config)}};
  }
};

INSTANTIATE_TEST_SUITE_P(All, Replicas, ::testing::ValuesIn(setups()),
                         [](const auto& info) { return info.param.name; });

TEST_P(Replicas, SplitBackwardPassesChangeNoBit) {
  const pipeline::Schedule plain = pipeline::schedule_without_pipelining(num_microbatches);
  // All input gradients first, and the weight gradients in the same order as before.
  pipeline::Schedule split;
  for (const auto kind : {Action::Kind::forward, Action::Kind::backward_input, Action::Kind::backward_weight})
    for (std::int64_t m = 0; m < num_microbatches; ++m) split.push_back({kind, 0, m});
  const Outcome trained = train(options(), split), expected = train(options(), plain);
  if (GetParam().model.untie_embeddings_and_output_weights) return expect_equal(trained, expected);
  // The embedding adds its part at once, and the output layer of the same weight later: another order of
  // sums.
  for (std::size_t i = 0; i < expected.losses.size(); ++i)
    EXPECT_NEAR(trained.losses[i], expected.losses[i], 1e-5 * expected.losses[i]);
}

TEST_P(Replicas, OverlappedReductionsSeeEveryGradient) {
  // Throws when a parameter reports another number of accumulations than its uses say.
  ReplicaOptions overlapped = options();
  overlapped.data_parallel.overlap_grad_reduce = true;
  const pipeline::Schedule schedule = pipeline::schedule_without_pipelining(num_microbatches);
  expect_equal(train(overlapped, schedule), train(options(), schedule));
}

TEST_P(Replicas, ChunksTrainAsTheWholeModelDoes) {
  // Without tied weights, of which chunks on one rank would hold two copies. The norm is summed in another
  // order.
  if (!GetParam().model.untie_embeddings_and_output_weights) GTEST_SKIP() << "tied weights need stages";
  ReplicaOptions cut = options();
  cut.chunks = one_layer_each(cut.model);
  cut.optimizer.clip_grad = 0;
  ReplicaOptions whole = options();
  whole.optimizer.clip_grad = 0;
  const auto chunks = static_cast<int>(cut.chunks.size());
  Outcome trained = train(cut, pipeline::schedule_without_pipelining(num_microbatches, chunks));
  const Outcome expected = train(whole, pipeline::schedule_without_pipelining(num_microbatches));
  for (std::size_t i = 0; i < expected.norms.size(); ++i)
    EXPECT_NEAR(trained.norms[i], expected.norms[i], 1e-12 * expected.norms[i]);
  trained.norms = expected.norms;
  expect_equal(trained, expected);
}

TEST_P(Replicas, AnIterationCanBeRunAgain) {
  Replica replica(options(), parallel::Mesh());
  replica.initialize();
  const StepBatch batch = batch_of(1);
  const auto gradients = [&] {
    replica.forward_backward(batch);
    std::vector<at::Tensor> result;
    for (const auto& parameter : replica.chunks().front()->parameters().all())
      result.push_back(parameter->weight.sink->main_grad.clone());
    return result;
  };
  const auto first = gradients(), second = gradients();
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i]));
}

TEST(Replica, NamesTheSamplesOfALossThatIsNaN) {
  const model::TransformerConfig config = model::tiny_llama();
  Replica replica({.model = config, .chunks = {model::ChunkSpec::whole(config)}}, parallel::Mesh());
  replica.initialize();
  replica.chunks()
      .front()
      ->parameters()
      .find("decoder.final_layernorm.weight")
      ->weight.value.detach()
      .fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(
      [&] { replica.forward_backward(batch_of(7)); },
      ThrowsMessage<Error>(AllOf(HasSubstr("the loss of iteration 7 is nan"), HasSubstr("samples 70 "))));
}

TEST(Replica, EvaluatesWithoutDropoutAndWithoutGradients) {
  model::TransformerConfig config = model::tiny_gpt2();
  config.hidden_dropout = 0.5;
  Replica replica({.model = config, .chunks = {model::ChunkSpec::whole(config)}}, parallel::Mesh());
  replica.initialize();
  MicroBatch micro_batch = batch_of(1).micro_batches[2];
  micro_batch.input.training = false;
  const LossSums first = replica.evaluate(micro_batch), second = replica.evaluate(micro_batch);
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(first.tokens, 14);
  EXPECT_NEAR(first.mean(), std::log(static_cast<double>(config.vocab_size)), 0.5);
}

}  // namespace
}  // namespace primus::train
