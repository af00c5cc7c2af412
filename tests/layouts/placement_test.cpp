// Parameters of every placement are reduced, updated and counted over the ranks that hold them: experts over
// the expert-data-parallel ranks, tied embeddings over the first and the last stage too.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "optimizer/distributed_data_parallel.h"
#include "optimizer/optimizer.h"
#include "parallel/tensor_piece.h"
#include "tests/ranks.h"

namespace primus::placement {
namespace {

using optimizer::DataParallelConfig;
using parallel::Mesh;
using parallel::ParameterSet;

constexpr std::int64_t experts = 4, out = 6, in = 5;

/// A dense weight, a norm whose gradient is partial over the tensor group, and grouped experts.
std::unique_ptr<ParameterSet> dense_and_experts(const Mesh& mesh) {
  auto set = std::make_unique<ParameterSet>(at::kFloat, at::kCPU);
  const parallel::Group &tensor = mesh.tensor(), &expert = mesh.expert();
  set->add({.name = "dense",
            .global_shape = {8, 3},
            .shards = {{.dim = 0, .rank = tensor.rank(), .size = tensor.size()}}});
  set->add({.name = "norm", .global_shape = {7}, .partial_gradient = true});
  set->add({.name = "experts",
            .global_shape = {experts, out, in},
            .shards = {{.rank = expert.rank(), .size = expert.size(), .axis = parallel::Shard::Axis::expert},
                       {.dim = 1, .rank = mesh.expert_tensor().rank(), .size = mesh.expert_tensor().size()}},
            .expert = true});
  for (const auto& parameter : set->all()) parameter->initialize(1);
  return set;
}

/// The gradient of the whole tensor from one of `parts` equal parts of the batch.
at::Tensor gradient_of_part(const parallel::ParameterSpec& spec, int step, int part) {
  std::int64_t count = 1;
  for (const std::int64_t length : spec.global_shape) count *= length;
  const auto phase = static_cast<double>(spec.name.size() + 3 * step + 7 * part);
  return at::sin(at::arange(count, at::kFloat) * 1.3 + phase).view(spec.global_shape);
}

/// Writes this rank's part of the sum of some parts' gradients.
void set_gradient(const parallel::Parameter& parameter, int step, const std::vector<int>& parts) {
  at::Tensor whole = at::zeros(parameter.spec().global_shape);
  for (const int part : parts) whole += gradient_of_part(parameter.spec(), step, part);
  for (const auto& piece :
       parallel::tensor_pieces(parameter, parameter.name(), parameter.weight.sink->main_grad, false)) {
    at::Tensor box = whole;
    for (std::size_t d = 0; d < piece.offset.size(); ++d)
      box = box.narrow(static_cast<std::int64_t>(d), piece.offset[d], piece.extent[d]);
    piece.data.copy_(box);
  }
}

struct PlacedModel {
  std::unique_ptr<ParameterSet> set;
  std::vector<double> norms;
};

constexpr int parts = 4, placed_steps = 3;

/// Which parts of the batch this rank's gradient of a parameter comes from. Each data-parallel rank reads its
/// share of them, of which an expert sees the tokens of all ranks that send to it.
std::vector<int> parts_seen(const parallel::ParameterSpec& spec, const Mesh& mesh) {
  const parallel::Group& replicas = parallel::placement_of(spec, mesh).replicas;
  const int share = parts / replicas.size();
  std::vector<int> result;
  for (int i = 0; i < share; ++i) result.push_back(replicas.rank() * share + i);
  if (!spec.partial_gradient || mesh.tensor().size() == 1) return result;
  // Each rank of the tensor group saw its part of the tokens.
  std::vector<int> own;
  for (std::size_t i = static_cast<std::size_t>(mesh.tensor().rank()); i < result.size();
       i += static_cast<std::size_t>(mesh.tensor().size()))
    own.push_back(result[i]);
  return own;
}

PlacedModel train_placed(const Mesh& mesh, DataParallelConfig config) {
  PlacedModel result{.set = dense_and_experts(mesh), .norms = {}};
  config.gradient_divisor = mesh.data_context().size();
  // Groups that connect at the same time from several threads can wait for each other for ever: one by one.
  mesh.data_context().barrier();
  mesh.expert_data().barrier();
  const auto buffers = optimizer::make_buffers(*result.set, config, mesh);
  EXPECT_EQ(buffers.size(), 2);
  std::vector<optimizer::ParamAndGradBuffer*> pointers;
  for (const auto& buffer : buffers) pointers.push_back(buffer.get());
  optimizer::DistributedDataParallel data_parallel(pointers, config, mesh);
  optimizer::Optimizer adam(pointers, {}, mesh);
  for (int step = 0; step < placed_steps; ++step) {
    for (const auto& parameter : result.set->all()) {
      set_gradient(*parameter, step, parts_seen(parameter->spec(), mesh));
      // The mean over the ranks of the sum of each one's parts is the same whatever their number.
      parameter->weight.sink->main_grad.mul_(mesh.data_context().size());
    }
    data_parallel.start_iteration(step, 1);
    data_parallel.finish_gradients();
    result.norms.push_back(adam.step({.learning_rate = 0.01, .iteration = step}));
    data_parallel.gather_weights();
  }
  return result;
}

struct PlacementCase {
  parallel::LayoutSizes sizes;
  bool distributed_optimizer;
};

std::ostream& operator<<(std::ostream& out, const PlacementCase& layout) {
  return out << "world " << layout.sizes.world << ", tensor " << layout.sizes.tensor << ", expert "
             << layout.sizes.expert;
}

class Experts : public testing::TestWithParam<PlacementCase> {};

TEST_P(Experts, TrainInEveryLayoutAsInOneProcess) {
  const PlacementCase& layout = GetParam();
  parallel::run_ranks(layout.sizes.world, [&layout](auto communicator) {
    const Mesh mesh(communicator, layout.sizes);
    const PlacedModel trained =
        train_placed(mesh, {.use_distributed_optimizer = layout.distributed_optimizer});
    const PlacedModel alone = train_placed(Mesh(), {});
    for (int step = 0; step < placed_steps; ++step) EXPECT_NEAR(trained.norms[step], alone.norms[step], 1e-5);
    for (const auto& piece : parallel::weight_pieces(*trained.set, mesh)) {
      at::Tensor expected = alone.set->find(piece.name)->weight.value.detach();
      for (std::size_t d = 0; d < piece.offset.size(); ++d)
        expected = expected.narrow(static_cast<std::int64_t>(d), piece.offset[d], piece.extent[d]);
      EXPECT_LT((piece.data.detach() - expected).abs().max().template item<double>(), 1e-6) << piece.name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Experts,
    testing::Values(
        PlacementCase{{.world = 2, .expert = 2}, false}, PlacementCase{{.world = 4, .expert = 2}, false},
        PlacementCase{{.world = 4, .expert = 2}, true}, PlacementCase{{.world = 2, .expert = 1}, true},
        PlacementCase{{.world = 4, .tensor = 2, .expert = 2, .expert_tensor = 1, .sequence_parallel = true},
                      true},
        PlacementCase{{.world = 4, .tensor = 2, .expert = 1, .expert_tensor = 2, .sequence_parallel = true},
                      true},
        PlacementCase{{.world = 4, .tensor = 2, .expert = 2, .expert_tensor = 2}, false}));

TEST(TiedEmbedding, LearnsFromBothStages) {
  for (const bool distributed : {false, true}) {
    parallel::run_ranks(4, [distributed](auto communicator) {
      const Mesh mesh(communicator, {.world = 4, .pipeline = 2});
      ParameterSet set(at::kFloat, at::kCPU);
      // Other parameters beside it, another number on each stage.
      if (mesh.is_first_stage()) set.add({.name = "first", .global_shape = {300}});
      parallel::Parameter& tied = set.add({.name = "tied",
                                           .global_shape = {200},
                                           .tied_across_stages = true,
                                           .shared_copy = mesh.is_last_stage()});
      set.add({.name = mesh.is_first_stage() ? "second" : "third", .global_shape = {100}});
      for (const auto& parameter : set.all()) parameter->initialize(1);
      const at::Tensor start = tied.weight.value.detach().clone();
      const DataParallelConfig config = {.use_distributed_optimizer = distributed};
      const auto buffers = optimizer::make_buffers(set, config, mesh);
      optimizer::DistributedDataParallel data_parallel({buffers.front().get()}, config, mesh);
      optimizer::Optimizer sgd({buffers.front().get()},
                               {.kind = optimizer::OptimizerConfig::Kind::sgd, .clip_grad = 0}, mesh);
      for (const auto& parameter : set.all()) parameter->weight.sink->main_grad.fill_(1);
      tied.weight.sink->main_grad.fill_(std::pow(10.0, mesh.world().rank()));
      data_parallel.start_iteration(1, 1);
      data_parallel.finish_gradients();
      const double norm = sgd.step({.learning_rate = 1.0, .iteration = 1});
      data_parallel.gather_weights();
      // The sum over both stages and both data-parallel ranks; elsewhere over the two data-parallel ranks.
      EXPECT_TRUE(at::equal(tied.weight.value.detach(), start - 1111.0));
      EXPECT_DOUBLE_EQ(norm, std::sqrt(200 * 1111.0 * 1111.0 + (300 + 100 + 100) * 4.0));
    });
  }
}

}  // namespace
}  // namespace primus::placement
