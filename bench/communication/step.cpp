// Training steps of a small Llama on one thread: the program behind bench/communication/mesh_cost.py, which
// links it once with the parallel module as it is and once with communication compiled out.
//
//     step [--layers N] [--hidden N] [--tokens N] [--steps N]     prints one JSON line

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "kernels/cpu/allocator.h"
#include "model/gpt_model.h"
#include "optimizer/distributed_data_parallel.h"
#include "optimizer/optimizer.h"

namespace {

using namespace primus;

struct Options {
  std::int64_t layers = 4;
  std::int64_t hidden = 256;
  std::int64_t tokens = 256;
  int steps = 20;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::int64_t value = std::atoll(argv[i + 1]);
    if (name == "--layers") options.layers = value;
    if (name == "--hidden") options.hidden = value;
    if (name == "--tokens") options.tokens = value;
    if (name == "--steps") options.steps = static_cast<int>(value);
  }
  return options;
}

model::TransformerConfig config_of(const Options& options) {
  constexpr std::int64_t head = 64;
  model::TransformerConfig config;
  config.num_layers = options.layers;
  config.hidden_size = options.hidden;
  config.num_attention_heads = config.num_query_groups = std::max<std::int64_t>(1, options.hidden / head);
  config.kv_channels = config.rope.dim = options.hidden / config.num_attention_heads;
  config.ffn_hidden_size = options.hidden * 3;
  config.vocab_size = config.padded_vocab_size = 4096;
  config.max_position_embeddings = options.tokens;
  config.kernels = kernels::KernelOptions::all_fused();
  return config;
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  at::set_num_threads(1);
  kernels::cpu::install_caching_allocator();
  const parallel::Mesh mesh;
  const model::TransformerConfig config = config_of(options);
  train::Replica replica({.model = config,
                          .chunks = {model::ChunkSpec::whole(config)},
                          .data_parallel = {.overlap_grad_reduce = true, .use_distributed_optimizer = true}},
                         mesh);
  replica.initialize();

  const at::Tensor text = at::arange(options.tokens + 1, at::kLong).mul(7919).remainder(4093);
  const train::MicroBatch micro_batch = {.input = {.tokens = text.slice(0, 0, options.tokens).unsqueeze(0),
                                                   .labels = text.slice(0, 1).unsqueeze(0),
                                                   .training = true},
                                         .loss_mask = at::ones({1, options.tokens})};
  std::vector<double> seconds;
  double loss = 0;
  for (int step = 0; step < options.steps; ++step) {
    const double start = processor_seconds();
    train::StepBatch batch = {.iteration = step, .micro_batches = {micro_batch}};
    batch.micro_batches.front().input.step = step;
    loss = replica.forward_backward(batch).mean();
    replica.optimizer().step(
        {.learning_rate = 1e-3, .weight_decay = 0.1, .gradient_scale = 1, .iteration = step});
    replica.gather_weights();
    mesh.world().all_reduce(at::full({1}, loss, at::kDouble));
    seconds.push_back(processor_seconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{{\"median_ms\": {:.4f}, \"best_ms\": {:.4f}, \"loss\": {:.6f}}}\n",
             1e3 * seconds[seconds.size() / 2], 1e3 * seconds.front(), loss);
  return 0;
}
