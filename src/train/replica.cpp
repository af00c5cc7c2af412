#include "train/replica.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>

#include "core/error.h"

namespace primus::train {

LossSums sum_over(const parallel::Group& group, const LossSums& sums) {
  const at::Tensor both = at::tensor({sums.loss, sums.tokens}, at::kDouble);
  group.all_reduce(both);
  return {both[0].item<double>(), both[1].item<double>()};
}

/// The chunks' work for the micro-batches of one iteration.
class Replica::Iteration : public pipeline::ChunkWork {
 public:
  Iteration(Replica& replica, const StepBatch& batch) : replica_(replica), batch_(batch) {}

  int num_chunks() const override { return static_cast<int>(replica_.chunks_.size()); }
  at::Tensor forward(int chunk, std::int64_t microbatch, const at::Tensor& input) override;
  at::Tensor backward(int chunk, std::int64_t microbatch, const at::Tensor& output_gradient) override;
  pipeline::DeferredWeightGradients& deferred() override { return replica_.deferred_; }

  const LossSums& sums() const { return sums_; }

 private:
  /// What a forward pass leaves for its backward.
  struct Passed {
    at::Tensor input;
    at::Tensor output;
  };

  at::Tensor output_gradient_of_loss(const model::GPTModel& model, std::int64_t microbatch,
                                     const at::Tensor& output);
  void check_finite(double loss, const MicroBatch& micro_batch) const;

  Replica& replica_;
  const StepBatch& batch_;
  std::map<std::pair<int, std::int64_t>, Passed> passed_;
  LossSums sums_;
};

at::Tensor Replica::Iteration::forward(int chunk, std::int64_t microbatch, const at::Tensor& input) {
  Passed passed;
  if (input.defined()) passed.input = input.detach().requires_grad_();
  const MicroBatch& micro_batch = batch_.micro_batches.at(static_cast<std::size_t>(microbatch));
  passed.output = replica_.chunks_[static_cast<std::size_t>(chunk)]->forward(micro_batch.input, passed.input);
  const at::Tensor output = passed.output.detach();
  passed_[{chunk, microbatch}] = std::move(passed);
  return output;
}

at::Tensor Replica::Iteration::backward(int chunk, std::int64_t microbatch,
                                        const at::Tensor& output_gradient) {
  const Passed passed = std::move(passed_.extract({chunk, microbatch}).mapped());
  const model::GPTModel& model = *replica_.chunks_[static_cast<std::size_t>(chunk)];
  const at::Tensor gradient = output_gradient.defined()
                                  ? output_gradient
                                  : output_gradient_of_loss(model, microbatch, passed.output.detach());
  torch::autograd::backward({passed.output}, {gradient});
  return passed.input.defined() ? passed.input.grad() : at::Tensor();
}

at::Tensor Replica::Iteration::output_gradient_of_loss(const model::GPTModel& model, std::int64_t microbatch,
                                                       const at::Tensor& output) {
  const MicroBatch& micro_batch = batch_.micro_batches.at(static_cast<std::size_t>(microbatch));
  const double tokens = micro_batch.loss_mask.sum().item<double>();
  const double weight = replica_.options_.normalization.token_weight(
      tokens, static_cast<std::int64_t>(batch_.micro_batches.size()));
  const kernels::OutputLayerLoss result =
      model.losses_and_gradients(micro_batch.input, output, micro_batch.loss_mask * weight);
  const double loss = (result.losses * micro_batch.loss_mask).sum().item<double>();
  if (replica_.options_.check_for_nan_in_loss) check_finite(loss, micro_batch);
  sums_.loss += loss;
  sums_.tokens += tokens;
  return result.hidden_gradient;
}

void Replica::Iteration::check_finite(double loss, const MicroBatch& micro_batch) const {
  if (std::isfinite(loss)) return;
  throw Error(fmt::format(
      "the loss of iteration {} is {} on rank {} (samples {} of the training data): lower the "
      "learning rate, or look at these samples with `primus-cli data inspect`",
      batch_.iteration, loss, replica_.mesh_.world().rank(), fmt::join(micro_batch.samples, ", ")));
}

Replica::Replica(const ReplicaOptions& options, const parallel::Mesh& mesh, const at::Device& device)
    : options_(options), mesh_(mesh) {
  std::vector<optimizer::ParamAndGradBuffer*> pointers;
  for (const model::ChunkSpec& chunk : options.chunks) {
    chunks_.push_back(std::make_unique<model::GPTModel>(options.model, chunk, mesh, device));
    for (auto& buffer : optimizer::make_buffers(chunks_.back()->parameters(), options.data_parallel, mesh)) {
      pointers.push_back(buffer.get());
      buffers_.push_back(std::move(buffer));
    }
  }
  data_parallel_ =
      std::make_unique<optimizer::DistributedDataParallel>(pointers, options.data_parallel, mesh);
  optimizer_ = std::make_unique<optimizer::Optimizer>(pointers, options.optimizer, mesh);
  defer_weight_gradients();
}

Replica::~Replica() = default;

void Replica::defer_weight_gradients() {
  for (const auto& chunk : chunks_) {
    for (const auto& parameter : chunk->parameters().all()) {
      parameter->weight.sink->defer = [this](std::function<void()> computation) {
        deferred_.add(std::move(computation));
      };
    }
  }
}

void Replica::initialize() {
  for (const auto& chunk : chunks_) chunk->initialize();
  optimizer_->reload_main_weights();
}

LossSums Replica::forward_backward(const StepBatch& batch) {
  return forward_backward(
      batch, pipeline::schedule_without_pipelining(static_cast<std::int64_t>(batch.micro_batches.size()),
                                                   static_cast<int>(chunks_.size())));
}

LossSums Replica::forward_backward(const StepBatch& batch, const pipeline::Schedule& schedule) {
  for (const auto& buffer : buffers_) buffer->zero_gradients();
  data_parallel_->start_iteration(batch.iteration, static_cast<std::int64_t>(batch.micro_batches.size()));
  Iteration iteration(*this, batch);
  pipeline::execute(schedule, iteration);
  data_parallel_->finish_gradients();
  return sum_over(mesh_.data_context(), iteration.sums());
}

LossSums Replica::evaluate(const MicroBatch& micro_batch) const {
  const at::NoGradGuard no_grad;
  at::Tensor hidden;
  for (const auto& chunk : chunks_) hidden = chunk->forward(micro_batch.input, hidden);
  const at::Tensor losses = chunks_.back()->losses(micro_batch.input, hidden);
  return {.loss = (losses * micro_batch.loss_mask).sum().item<double>(),
          .tokens = micro_batch.loss_mask.sum().item<double>()};
}

std::vector<parallel::TensorPiece> Replica::pieces(bool with_optimizer) const {
  std::vector<parallel::TensorPiece> result;
  for (const auto& chunk : chunks_) {
    auto pieces = parallel::weight_pieces(chunk->parameters(), mesh_);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(result));
  }
  if (!with_optimizer) return result;
  auto state = optimizer_->state_pieces();
  std::move(state.begin(), state.end(), std::back_inserter(result));
  return result;
}

}  // namespace primus::train
