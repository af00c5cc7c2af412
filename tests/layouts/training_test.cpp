// The equality grid: training in every layout of ranks gives the losses, gradient norms and parameters of one
// process that reads the same global batches.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "parallel/tensor_piece.h"
#include "tests/model/tiny_config.h"
#include "tests/ranks.h"
#include "train/replica.h"

namespace primus {
namespace {

using model::TransformerConfig;
using optimizer::DataParallelConfig;
using parallel::Mesh;

constexpr int steps = 20;
constexpr std::int64_t sequence = 16;
constexpr std::int64_t vocabulary = 64;

/// How far a run may be from that of one process: relative for losses and gradient norms of every step,
/// absolute for the parameters after the last.
struct Tolerance {
  double loss = 2e-6;
  double norm = 2e-6;
  double parameter = 1e-5;
};

/// One row of the grid.
struct Layout {
  std::string name;
  TransformerConfig model;
  int tensor = 1;
  int data = 1;
  bool sequence_parallel = false;
  DataParallelConfig ddp = {};
  std::int64_t bucket_size = 0;
  /// Samples of the global batch, and of a micro-batch: accumulation is global / (micro · data).
  std::int64_t global_batch = 8;
  std::int64_t micro_batch = 1;
  Tolerance tolerance = {};
  bool per_token_loss = false;
};

std::ostream& operator<<(std::ostream& out, const Layout& layout) { return out << layout.name; }

/// What a run leaves behind.
struct Trained {
  std::vector<double> losses;
  std::vector<double> norms;
  std::unique_ptr<train::Replica> replica;

  const parallel::ParameterSet& parameters() const { return replica->chunks().front()->parameters(); }
};

/// Sample `index` of step `step`: tokens, labels and loss mask, [1, s] each, the same on every rank. The
/// mask's density differs from sample to sample.
struct Sample {
  at::Tensor tokens;
  at::Tensor labels;
  at::Tensor mask;
};

Sample sample_of(std::int64_t step, std::int64_t index) {
  const at::Tensor text =
      (at::arange(sequence + 1, at::kLong) * 7919 + step * 104729 + index * 1299709).square().remainder(61);
  const at::Tensor mask = at::arange(sequence, at::kLong).remainder(index % 3 + 2).ne(0).to(at::kFloat);
  return {text.slice(0, 0, sequence).unsqueeze(0), text.slice(0, 1).unsqueeze(0), mask.unsqueeze(0)};
}

train::MicroBatch micro_batch_of(std::int64_t step, std::int64_t first, std::int64_t count) {
  std::vector<at::Tensor> inputs, labels, masks;
  for (std::int64_t i = first; i < first + count; ++i) {
    const Sample sample = sample_of(step, i);
    inputs.push_back(sample.tokens);
    labels.push_back(sample.labels);
    masks.push_back(sample.mask);
  }
  return {.input = {.tokens = at::cat(inputs),
                    .labels = at::cat(labels),
                    .training = true,
                    .step = step,
                    .first_sample = first},
          .loss_mask = at::cat(masks)};
}

Trained train(const Layout& layout, const Mesh& mesh) {
  const parallel::Group& data = mesh.data_context();
  const optimizer::LossNormalization normalization = {.calculate_per_token_loss = layout.per_token_loss,
                                                      .ranks = data.size()};
  DataParallelConfig data_parallel = layout.ddp;
  data_parallel.gradient_divisor = normalization.rank_divisor();
  if (layout.bucket_size > 0) data_parallel.bucket_size = layout.bucket_size;
  Trained result;
  result.replica = std::make_unique<train::Replica>(
      train::ReplicaOptions{.model = layout.model,
                            .chunks = {model::ChunkSpec::whole(layout.model)},
                            .data_parallel = data_parallel,
                            .normalization = normalization},
      mesh);
  train::Replica& replica = *result.replica;
  replica.initialize();
  const std::int64_t accumulation = layout.global_batch / (layout.micro_batch * data.size());
  for (std::int64_t step = 0; step < steps; ++step) {
    train::StepBatch batch{.iteration = step};
    for (std::int64_t m = 0; m < accumulation; ++m) {
      const std::int64_t first = (m * data.size() + data.rank()) * layout.micro_batch;
      batch.micro_batches.push_back(micro_batch_of(step, first, layout.micro_batch));
    }
    const train::LossSums sums = replica.forward_backward(batch);
    result.losses.push_back(sums.mean());
    result.norms.push_back(
        replica.optimizer().step({.learning_rate = 1e-3,
                                  .weight_decay = 0.1,
                                  .gradient_scale = normalization.gradient_scale(sums.tokens),
                                  .iteration = step}));
    replica.gather_weights();
  }
  replica.wait_for_weights();
  return result;
}

/// What one process makes of the same batches: rank 0 trains, the others receive what it leaves behind.
Trained train_alone(Layout layout, const parallel::Group& world) {
  layout.ddp = {};
  Trained result;
  if (world.rank() == 0) {
    result = train(layout, Mesh());
  } else {
    result.replica = std::make_unique<train::Replica>(
        train::ReplicaOptions{.model = layout.model, .chunks = {model::ChunkSpec::whole(layout.model)}},
        Mesh());
  }
  for (std::vector<double>* values : {&result.losses, &result.norms}) {
    values->resize(steps);
    world.broadcast(at::from_blob(values->data(), {steps}, at::kDouble), 0);
  }
  for (const auto& parameter : result.parameters().all())
    world.broadcast(parameter->weight.value.detach(), 0);
  return result;
}

double relative(double a, double b) { return std::abs(a - b) / std::max(std::abs(b), 1e-30); }

/// Largest absolute difference of this rank's slices of the parameters from the same slices of `whole`.
double parameter_deviation(const Trained& sliced, const Trained& whole, const Mesh& mesh) {
  double largest = 0;
  for (const auto& piece : parallel::weight_pieces(sliced.parameters(), mesh)) {
    at::Tensor expected = whole.parameters().find(piece.name)->weight.value.detach();
    for (std::size_t d = 0; d < piece.offset.size(); ++d) {
      expected = expected.narrow(static_cast<std::int64_t>(d), piece.offset[d], piece.extent[d]);
    }
    largest = std::max(largest, (piece.data.detach() - expected).abs().max().item<double>());
  }
  return largest;
}

/// Largest relative difference, over all steps.
double deviation(const std::vector<double>& trained, const std::vector<double>& expected) {
  double largest = 0;
  for (int step = 0; step < steps; ++step) {
    largest = std::max(largest, relative(trained[step], expected[step]));
  }
  return largest;
}

class Training : public testing::TestWithParam<Layout> {};

TEST_P(Training, EqualsOneProcess) {
  const Layout& layout = GetParam();
  parallel::run_ranks(layout.tensor * layout.data, [&layout](auto communicator) {
    const Mesh mesh(communicator, {.world = layout.tensor * layout.data,
                                   .tensor = layout.tensor,
                                   .sequence_parallel = layout.sequence_parallel});
    const Trained trained = train(layout, mesh);
    const Trained reference = train_alone(layout, mesh.world());
    EXPECT_LT(reference.losses.back(), 0.95 * reference.losses.front()) << "nothing was learnt";
    const Tolerance found = {.loss = deviation(trained.losses, reference.losses),
                             .norm = deviation(trained.norms, reference.norms),
                             .parameter = parameter_deviation(trained, reference, mesh)};
    EXPECT_LE(found.loss, layout.tolerance.loss);
    EXPECT_LE(found.norm, layout.tolerance.norm);
    EXPECT_LE(found.parameter, layout.tolerance.parameter);
    if (mesh.world().rank() > 0) return;
    std::printf("%s: loss %.1e, norm %.1e, parameter %.1e from one process\n", layout.name.c_str(),
                found.loss, found.norm, found.parameter);
  });
}

TransformerConfig base(TransformerConfig config) {
  config.padded_vocab_size = vocabulary;
  config.vocab_size = vocabulary;
  config.max_position_embeddings = sequence;
  return config;
}

/// Eight heads, so that eight ranks can share them.
TransformerConfig llama(bool tied = false) {
  TransformerConfig config = base(model::tiny_llama());
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_attention_heads = 8;
  config.num_query_groups = 8;
  config.kv_channels = 4;
  config.rope.dim = 4;
  config.ffn_hidden_size = 48;
  config.untie_embeddings_and_output_weights = !tied;
  return config;
}

TransformerConfig gpt2(bool tied = true) {
  TransformerConfig config = base(model::tiny_gpt2());
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_attention_heads = 8;
  config.num_query_groups = 8;
  config.kv_channels = 4;
  config.ffn_hidden_size = 64;
  config.untie_embeddings_and_output_weights = !tied;
  return config;
}

std::vector<Layout> grid() {
  const DataParallelConfig plain = {}, overlap = {.overlap_grad_reduce = true};
  const DataParallelConfig zero = {.use_distributed_optimizer = true};
  const DataParallelConfig zero_overlap = {
      .overlap_grad_reduce = true, .use_distributed_optimizer = true, .overlap_param_gather = true};
  const auto per_token = [](Layout layout) {
    layout.per_token_loss = true;
    return layout;
  };
  TransformerConfig grouped = llama();
  grouped.num_query_groups = 2;
  TransformerConfig normed = llama();
  normed.qk_layernorm = true;
  TransformerConfig capped = llama(true);
  capped.final_logit_softcapping = 5;
  TransformerConfig dropout = gpt2(), llama_dropout = llama();
  dropout.hidden_dropout = dropout.attention_dropout = 0.1;
  llama_dropout.hidden_dropout = llama_dropout.attention_dropout = 0.1;
  // Wide tensor groups take few micro-batches: eight processes on few cores are slow to take turns.
  return {
      {"llama_tp2", llama(), 2},
      {"llama_tp4", llama(), 4, 1, false, plain, 0, 4, 2},
      {"llama_tp8", llama(), 8, 1, false, plain, 0, 2, 2},
      {"llama_tp2_sp", llama(), 2, 1, true},
      {"llama_tp4_sp", llama(), 4, 1, true, plain, 0, 4, 2},
      {"llama_tp8_sp", llama(), 8, 1, true, plain, 0, 2, 2},
      {"llama_tied_tp2", llama(true), 2},
      {"llama_tied_tp4_sp", llama(true), 4, 1, true, plain, 0, 4, 2},
      {"llama_grouped_tp2_sp", grouped, 2, 1, true},
      {"llama_qk_norm_tp2", normed, 2},
      {"llama_qk_norm_tp2_sp_dp2", normed, 2, 2, true, zero_overlap},
      {"llama_softcap_tp2_sp", capped, 2, 1, true},
      {"llama_micro2_tp2", llama(), 2, 1, false, plain, 0, 8, 2},
      {"llama_dp2", llama(), 1, 2},
      {"llama_dp4", llama(), 1, 4},
      {"llama_dp8", llama(), 1, 8},
      {"llama_dp2_overlap", llama(), 1, 2, false, overlap, 3000},
      {"llama_dp2_zero", llama(), 1, 2, false, zero},
      {"llama_dp4_zero", llama(), 1, 4, false, zero, 5000},
      {"llama_dp4_zero_overlap", llama(), 1, 4, false, zero_overlap, 2000},
      {"llama_dp8_zero_overlap", llama(), 1, 8, false, zero_overlap, 1},
      per_token({"llama_dp2_per_token", llama(), 1, 2}),
      per_token({"llama_dp4_per_token_zero", llama(), 1, 4, false, zero_overlap, 4000}),
      per_token({"llama_tp2_per_token", llama(), 2, 1, true}),
      {"llama_dp2_no_accumulation", llama(), 1, 2, false, overlap, 3000, 2, 1},
      {"llama_dp2_accumulation3", llama(true), 1, 2, false, zero_overlap, 3000, 6, 1},
      {"llama_dp2_accumulation4", llama(), 1, 2, false, zero_overlap, 3000, 16, 2},
      {"llama_tp2_dp2", llama(), 2, 2},
      {"llama_tp2_sp_dp2_zero", llama(), 2, 2, true, zero_overlap, 2000},
      {"llama_tp4_sp_dp2_zero", llama(), 4, 2, true, zero_overlap, 2000, 4, 2},
      {"llama_tp2_sp_dp4_zero", llama(), 2, 4, true, zero_overlap, 2000, 8, 1},
      {"gpt2_tp2", gpt2(), 2},
      {"gpt2_tp4_sp", gpt2(), 4, 1, true, plain, 0, 4, 2},
      {"gpt2_tp8_sp", gpt2(), 8, 1, true, plain, 0, 2, 2},
      {"gpt2_tp8", gpt2(), 8, 1, false, plain, 0, 2, 2},
      {"gpt2_untied_tp2_sp", gpt2(false), 2, 1, true},
      {"gpt2_dp2_overlap", gpt2(), 1, 2, false, overlap, 2000},
      {"gpt2_dp4_zero", gpt2(), 1, 4, false, zero_overlap, 2000},
      {"gpt2_tp2_sp_dp2_zero", gpt2(), 2, 2, true, zero_overlap, 2000},
      {"gpt2_dropout_dp2", dropout, 1, 2},
      {"gpt2_dropout_tp2", dropout, 2},
      {"gpt2_dropout_tp2_sp_dp2", dropout, 2, 2, true, zero_overlap},
      {"gpt2_dropout_tp4_sp", dropout, 4, 1, true, plain, 0, 4, 2},
      per_token({"gpt2_dropout_tp4_sp_dp2_zero", dropout, 4, 2, true, zero_overlap, 2000, 4, 2}),
      {"llama_dropout_tp2_sp", llama_dropout, 2, 1, true},
      per_token({"llama_dropout_dp4_per_token_zero", llama_dropout, 1, 4, false, zero_overlap, 2000}),
      {"llama_dropout_tp8_sp", llama_dropout, 8, 1, true, plain, 0, 2, 2},
  };
}

/// Gradients that travel as bf16 are rounded to 8 bits; the weights stay fp32.
std::vector<Layout> bf16_reduction() {
  DataParallelConfig wire = {.overlap_grad_reduce = true, .grad_reduce_in_bf16 = true};
  DataParallelConfig zero_wire = wire;
  zero_wire.use_distributed_optimizer = true;
  std::vector<Layout> layouts = {{"llama_dp2", llama(), 1, 2, false, wire, 3000},
                                 {"llama_dp4_zero", llama(), 1, 4, false, zero_wire, 3000}};
  // Measured: 6.4e-6, 3.2e-4, 2.2e-3.
  for (Layout& layout : layouts) layout.tolerance = {.loss = 2e-5, .norm = 1e-3, .parameter = 5e-3};
  return layouts;
}

/// The same grid in bf16. Data parallelism sums in fp32, and so stays within the tolerance of fp32. Tensor
/// parallelism rounds each rank's partial sum to 8 bits; measured over the grid: losses 2.2e-4, norms 2.7e-3,
/// parameters 1.5e-2 (a bf16 number near 1 has neighbours 7.8e-3 away).
std::vector<Layout> bf16_grid() {
  std::vector<Layout> layouts = grid();
  for (Layout& layout : layouts) {
    layout.model.params_dtype = at::kBFloat16;
    if (layout.tensor > 1) layout.tolerance = {.loss = 5e-4, .norm = 5e-3, .parameter = 3e-2};
  }
  return layouts;
}

const auto name_of = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Grid, Training, testing::ValuesIn(grid()), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16Reduction, Training, testing::ValuesIn(bf16_reduction()), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16, Training, testing::ValuesIn(bf16_grid()), name_of);

}  // namespace
}  // namespace primus
