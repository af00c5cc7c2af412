#include "optimizer/optimizer.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/round_up.h"
#include "kernels/span.h"
#include "parallel/placement.h"

namespace primus::optimizer {

namespace {

/// Small enough for an even share of the work, large enough that starting one costs nothing.
constexpr std::int64_t block_size = 1 << 15;
static_assert(block_size % update_granularity == 0);

/// Megatron's decoupled_lr is for the word embeddings, tied or not, and the output layer; position embeddings
/// learn at the common rate (`is_embedding_or_output_parameter`).
bool has_decoupled_learning_rate(parallel::Role role) {
  return role == parallel::Role::word_embeddings || role == parallel::Role::output_layer;
}

AdamRule adam_rule(const OptimizerConfig& config, std::int64_t step) {
  const auto correction = [&](double beta) {
    return static_cast<float>(1.0 / (1.0 - std::pow(beta, static_cast<double>(step))));
  };
  AdamRule rule;
  rule.beta1 = static_cast<float>(config.adam_beta1);
  rule.beta2 = static_cast<float>(config.adam_beta2);
  rule.epsilon = static_cast<float>(config.adam_eps);
  rule.correction1 = correction(config.adam_beta1);
  rule.correction2 = correction(config.adam_beta2);
  rule.decoupled = config.decoupled_weight_decay;
  return rule;
}

template <typename Rule>
void apply(Rule rule, double learning_rate, double weight_decay, double gradient_scale,
           const UpdateArrays& arrays) {
  rule.learning_rate = static_cast<float>(learning_rate);
  rule.weight_decay = static_cast<float>(weight_decay);
  rule.gradient_scale = static_cast<float>(gradient_scale);
  update(rule, arrays);
}

}  // namespace

struct Optimizer::Partition {
  ParamAndGradBuffer* buffer;
  std::int64_t begin;
  std::int64_t end;
  /// All [end - begin]. int16: with the buffer's bf16 weights, the main weights (kernels/main_weight.h);
  /// undefined where weights are fp32.
  at::Tensor remainder;
  /// fp32; `second` is undefined for SGD.
  at::Tensor first;
  at::Tensor second;

  bool is_split() const { return buffer->weights().scalar_type() == at::kBFloat16; }
  /// The weights that belong to the remainders, or the fp32 weights.
  at::Tensor weights() const { return buffer->weights().slice(0, begin, end); }
  template <typename T>
  T* at(const at::Tensor& state, std::int64_t position) const {
    return state.data_ptr<T>() + (position - begin);
  }
  const float* gradient(std::int64_t position) const {
    return buffer->gradients().const_data_ptr<float>() + position;
  }
  double sum_of_main_squares(std::int64_t position, std::int64_t count) const;
};

double Optimizer::Partition::sum_of_main_squares(std::int64_t position, std::int64_t count) const {
  if (!is_split()) return sum_of_squares(buffer->weights().const_data_ptr<float>() + position, count);
  return sum_of_squares(buffer->weights().const_data_ptr<at::BFloat16>() + position,
                        at<std::int16_t>(remainder, position), count);
}

struct Optimizer::Block {
  std::size_t partition;
  const BufferSlot* slot;
  std::int64_t begin;
  /// The end of the elements, and that of the padding after them.
  std::int64_t end;
  std::int64_t padded_end;
  bool primary;
  bool decay;
  bool decoupled_learning_rate;
};

Optimizer::Optimizer(std::vector<ParamAndGradBuffer*> buffers, const OptimizerConfig& config,
                     const parallel::Mesh& mesh)
    : config_(config), mesh_(mesh), buffers_(std::move(buffers)) {
  for (ParamAndGradBuffer* buffer : buffers_) make_partitions(*buffer);
  for (std::size_t i = 0; i < partitions_.size(); ++i) make_blocks(i);
}

Optimizer::~Optimizer() = default;

void Optimizer::make_partitions(ParamAndGradBuffer& buffer) {
  const at::ScalarType dtype = buffer.weights().scalar_type();
  if (dtype != at::kFloat && dtype != at::kBFloat16)
    throw_user_error("weights of dtype {} cannot be trained: use fp32 or bf16", c10::toString(dtype));
  if (!buffer.weights().is_cpu()) throw Error("the optimizer updates weights in the host's memory only");
  for (std::size_t bucket = 0; bucket < buffer.buckets().size(); ++bucket) {
    const auto [begin, end] = buffer.owned_part(static_cast<int>(bucket));
    Partition partition{
        .buffer = &buffer, .begin = begin, .end = end, .remainder = {}, .first = {}, .second = {}};
    const auto options = buffer.gradients().options();
    if (partition.is_split()) partition.remainder = at::zeros({end - begin}, options.dtype(at::kShort));
    partition.first = at::zeros({end - begin}, options);
    if (config_.kind == OptimizerConfig::Kind::adam) partition.second = at::zeros({end - begin}, options);
    partitions_.push_back(std::move(partition));
  }
}

void Optimizer::make_blocks(std::size_t index) {
  const Partition& partition = partitions_[index];
  for (const BufferSlot& slot : partition.buffer->slots()) {
    const parallel::Parameter& parameter = *slot.parameter;
    const std::int64_t last = std::min(slot.end, partition.end);
    // Blocks are counted from the parameter's start, so that their sums are the same in every sharding.
    for (std::int64_t begin = slot.begin; begin < last; begin += block_size) {
      const std::int64_t first = std::max(begin, partition.begin);
      const std::int64_t end = std::min(begin + block_size, last);
      if (first >= end) continue;
      blocks_.push_back({.partition = index,
                         .slot = &slot,
                         .begin = first,
                         .end = end,
                         .padded_end = round_up(end, update_granularity),
                         .primary = parallel::is_primary(parameter.spec(), mesh_),
                         .decay = parameter.spec().decay,
                         .decoupled_learning_rate = has_decoupled_learning_rate(parameter.spec().role)});
    }
  }
}

std::vector<double> Optimizer::block_sums(bool of_gradients) const {
  const kernels::OperatorSpan span("GradientNorm");
  std::vector<double> sums(blocks_.size());
  at::parallel_for(0, static_cast<std::int64_t>(blocks_.size()), 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const Block& block = blocks_[i];
      const Partition& partition = partitions_[block.partition];
      const std::int64_t count = block.end - block.begin;
      sums[i] = of_gradients ? sum_of_squares(partition.gradient(block.begin), count)
                             : partition.sum_of_main_squares(block.begin, count);
    }
  });
  return sums;
}

/// Over the whole model: every parameter counts once, whichever ranks hold it.
double Optimizer::sum_of_primary(const std::vector<double>& sums) const {
  double dense = 0, expert = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (!blocks_[i].primary) continue;
    (blocks_[i].slot->parameter->spec().expert ? expert : dense) += sums[i];
  }
  const bool distributed = buffers_.front()->use_distributed_optimizer();
  const auto sum = [distributed](double value, const parallel::Placement& placement) {
    const at::Tensor total = at::full({1}, value, at::kDouble);
    placement.model.all_reduce(total);
    if (distributed) placement.replicas.all_reduce(total);
    return total.item<double>();
  };
  const parallel::Placement of_dense = parallel::placement_of({.expert = false}, mesh_);
  const parallel::Placement of_experts = parallel::placement_of({.expert = true}, mesh_);
  const bool same_ranks = of_dense.model.ranks() == of_experts.model.ranks() &&
                          of_dense.replicas.ranks() == of_experts.replicas.ranks();
  return same_ranks ? sum(dense + expert, of_dense) : sum(dense, of_dense) + sum(expert, of_experts);
}

void Optimizer::check_finite(const std::vector<double>& sums, std::int64_t iteration) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (std::isfinite(sums[i])) continue;
    throw Error(fmt::format(
        "iteration {}: rank {}: the gradient of {} holds NaN or Inf. Training stops before the weights are "
        "touched; "
        "continue from the last checkpoint with a lower lr, or set check_for_nan_in_loss_and_grad: false",
        iteration, mesh_.world().ranks()[mesh_.world().rank()], blocks_[i].slot->parameter->name()));
  }
}

double Optimizer::step(const StepInputs& inputs) {
  const at::NoGradGuard no_grad;
  const std::vector<double> sums = block_sums(/*of_gradients=*/true);
  if (config_.check_for_nan_in_grad) check_finite(sums, inputs.iteration);
  const double norm = std::sqrt(sum_of_primary(sums)) * std::abs(inputs.gradient_scale);

  double scale = inputs.gradient_scale;
  // Megatron's formula: the small number keeps a norm of zero harmless.
  if (config_.clip_grad > 0) scale *= std::min(1.0, config_.clip_grad / (norm + 1e-6));
  ++steps_;
  const kernels::OperatorSpan span("OptimizerUpdate");
  at::parallel_for(0, static_cast<std::int64_t>(blocks_.size()), 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) update_block(blocks_[i], inputs, scale);
  });
  return norm;
}

void Optimizer::update_block(const Block& block, const StepInputs& inputs, double gradient_scale) {
  const Partition& partition = partitions_[block.partition];
  UpdateArrays arrays{.gradient = partition.gradient(block.begin),
                      .first = partition.at<float>(partition.first, block.begin),
                      .count = block.padded_end - block.begin};
  const at::Tensor& weights = partition.buffer->weights();
  if (partition.is_split()) {
    arrays.weight = weights.data_ptr<at::BFloat16>() + block.begin;
    arrays.remainder = partition.at<std::int16_t>(partition.remainder, block.begin);
  } else {
    arrays.main = weights.data_ptr<float>() + block.begin;
  }

  const bool decoupled = block.decoupled_learning_rate && inputs.decoupled_learning_rate >= 0;
  const double learning_rate = decoupled ? inputs.decoupled_learning_rate : inputs.learning_rate;
  const double weight_decay = block.decay ? inputs.weight_decay : 0.0;
  if (config_.kind == OptimizerConfig::Kind::adam) {
    arrays.second = partition.at<float>(partition.second, block.begin);
    apply(adam_rule(config_, steps_), learning_rate, weight_decay, gradient_scale, arrays);
  } else {
    SgdRule rule;
    rule.momentum = static_cast<float>(config_.sgd_momentum);
    apply(rule, learning_rate, weight_decay, gradient_scale, arrays);
  }
}

double Optimizer::params_norm() const {
  return std::sqrt(sum_of_primary(block_sums(/*of_gradients=*/false)));
}

std::int64_t Optimizer::num_zeros_in_grad() const {
  std::vector<double> zeros;
  for (const Block& block : blocks_) {
    const float* values = partitions_[block.partition].gradient(block.begin);
    zeros.push_back(static_cast<double>(count_zeros(values, block.end - block.begin)));
  }
  return static_cast<std::int64_t>(sum_of_primary(zeros));
}

std::vector<parallel::TensorPiece> Optimizer::state_pieces() const {
  std::vector<parallel::TensorPiece> result;
  const bool adam = config_.kind == OptimizerConfig::Kind::adam;
  const auto add = [&](std::vector<parallel::TensorPiece> pieces) {
    std::move(pieces.begin(), pieces.end(), std::back_inserter(result));
  };
  for (const Partition& partition : partitions_) {
    for (const BufferSlot& slot : partition.buffer->slots()) {
      if (slot.begin >= partition.end || slot.end <= partition.begin) continue;
      if (partition.is_split()) {
        auto pieces = pieces_of(partition, slot, "fp32_param", partition.weights());
        const auto remainders = pieces_of(partition, slot, "fp32_param", partition.remainder);
        for (std::size_t i = 0; i < pieces.size(); ++i) pieces[i].remainder = remainders[i].data;
        add(std::move(pieces));
      }
      add(pieces_of(partition, slot, adam ? "exp_avg" : "momentum_buffer", partition.first));
      if (adam) add(pieces_of(partition, slot, "exp_avg_sq", partition.second));
    }
  }
  return result;
}

/// The part of `state`, which has the partition's elements, that belongs to a parameter.
std::vector<parallel::TensorPiece> Optimizer::pieces_of(const Partition& partition, const BufferSlot& slot,
                                                        const char* kind, const at::Tensor& state) const {
  const parallel::Parameter& parameter = *slot.parameter;
  const std::string name = fmt::format("optimizer.state.{}.{}", kind, parameter.name());
  const bool copied = !partition.buffer->use_distributed_optimizer() &&
                      parallel::placement_of(parameter.spec(), mesh_).replicas.rank() > 0;
  const bool replica = copied || !parallel::is_primary(parameter.spec(), mesh_);
  const std::int64_t begin = std::max(slot.begin, partition.begin);
  const std::int64_t end = std::min(slot.end, partition.end);
  const at::Tensor flat = state.slice(0, begin - partition.begin, end - partition.begin);
  return end - begin == slot.end - slot.begin
             ? parallel::tensor_pieces(parameter, name, flat.view(parameter.local_shape()), replica)
             : parallel::tensor_pieces_of_range(parameter, name, begin - slot.begin, flat, replica);
}

void Optimizer::reload_main_weights() {
  const at::NoGradGuard no_grad;
  for (const Partition& partition : partitions_) {
    if (partition.is_split()) partition.remainder.zero_();
  }
}

}  // namespace primus::optimizer
