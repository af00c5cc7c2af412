#include "parallel/layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "parallel/column_linear.h"
#include "parallel/tensor_region.h"

namespace primus::parallel {

namespace {

Shard over(const Group& group, int dim, int blocks = 1) {
  return {.dim = dim, .rank = group.rank(), .size = group.size(), .blocks = blocks};
}

constexpr Initializer zero = {.kind = Initializer::Kind::constant, .value = 0.0};

}  // namespace

ParallelLinear::ParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters,
                               const Shard& weight_shard, const BiasSpec& bias)
    : group_(mesh.tensor()),
      sequence_parallel_(mesh.sequence_parallel()),
      kernels_(spec.kernels),
      weight_(&parameters.add({.name = spec.name + ".weight",
                               .global_shape = {spec.out, spec.in},
                               .shards = {weight_shard},
                               .init = spec.init})) {
  if (!spec.bias) return;
  bias_ = &parameters.add({.name = spec.name + ".bias",
                           .global_shape = {spec.out},
                           .shards = bias.shards,
                           .init = zero,
                           .decay = false,
                           .partial_gradient = bias.partial_gradient});
}

std::optional<kernels::Weight> ParallelLinear::bias() const {
  return bias_ != nullptr ? std::optional(bias_->use()) : std::nullopt;
}

ColumnParallelLinear::ColumnParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters)
    : ParallelLinear(spec, mesh, parameters, over(mesh.tensor(), 0, spec.blocks),
                     {.shards = {over(mesh.tensor(), 0, spec.blocks)}}) {}

at::Tensor ColumnParallelLinear::forward(const at::Tensor& x) const {
  return column_linear(x, weight_->use(), bias(), group_, sequence_parallel_, kernels_);
}

at::Tensor ColumnParallelLinear::forward_without_bias(const at::Tensor& x) const {
  return column_linear(x, weight_->use(), {}, group_, sequence_parallel_, kernels_);
}

RowParallelLinear::RowParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters)
    : ParallelLinear(spec, mesh, parameters, over(mesh.tensor(), 1),
                     {.partial_gradient = mesh.sequence_parallel()}) {}

at::Tensor RowParallelLinear::forward_without_bias(const at::Tensor& x) const {
  return reduce(kernels::linear(x, weight_->use(), {}, kernels_));
}

at::Tensor RowParallelLinear::forward_of_activation(const at::Tensor& x,
                                                    const std::optional<kernels::Weight>& bias,
                                                    kernels::Activation activation) const {
  return reduce(kernels::activation_linear(x, bias, activation, weight_->use(), kernels_));
}

at::Tensor RowParallelLinear::reduce(const at::Tensor& partial) const {
  return sequence_parallel_ ? reduce_scatter_to_sequence_region(partial, group_)
                            : reduce_from_tensor_region(partial, group_);
}

VocabParallelEmbedding::VocabParallelEmbedding(const std::string& name, const VocabularyRows& rows,
                                               std::int64_t width, const Initializer& init, bool tied,
                                               const Mesh& mesh, ParameterSet& parameters,
                                               const kernels::KernelOptions& kernels)
    : group_(mesh.tensor()),
      sequence_parallel_(mesh.sequence_parallel()),
      kernels_(kernels),
      weight_(&parameters.add({.name = name + ".weight",
                               .global_shape = {rows.padded, width},
                               .unpadded_rows = rows.used,
                               .shards = {over(mesh.tensor(), 0)},
                               .init = init,
                               .role = Role::word_embeddings,
                               .tied_across_stages = tied && mesh.pipeline().size() > 1})) {}

at::Tensor VocabParallelEmbedding::partial(const at::Tensor& ids) const {
  return kernels::embedding(ids, weight_->use(), group_.rank() * weight_->local_shape()[0], kernels_);
}

at::Tensor VocabParallelEmbedding::forward(const at::Tensor& ids) const {
  return reduce_from_tensor_region(partial(ids), group_);
}

at::Tensor VocabParallelEmbedding::forward_to_sequence_region(const at::Tensor& ids) const {
  return sequence_parallel_ ? reduce_scatter_to_sequence_region(partial(ids), group_) : forward(ids);
}

VocabParallelHead::VocabParallelHead(Parameter& weight, const Mesh& mesh, double softcap,
                                     const kernels::KernelOptions& kernels)
    : group_(mesh.tensor()),
      sequence_parallel_(mesh.sequence_parallel()),
      weight_(&weight),
      softcap_(softcap),
      kernels_(kernels) {}

at::Tensor VocabParallelHead::to_tensor_region(const at::Tensor& hidden) const {
  return sequence_parallel_ ? gather_from_sequence_region(hidden, group_)
                            : copy_to_tensor_region(hidden, group_);
}

/// The softmax over all columns from those of every rank: the maximum first, so that no exponential
/// overflows.
kernels::VocabularyShard VocabParallelHead::shard() const {
  if (group_.size() == 1) return {};
  const auto combine = [group = group_](kernels::LogitStatistics& statistics) {
    const at::Tensor maximum = statistics.maximum.clone();
    group.all_reduce(maximum, Reduction::maximum);
    statistics.sum_of_exponentials.mul_((statistics.maximum - maximum).exp_());
    statistics.maximum = maximum;
    const at::Tensor sums = at::stack({statistics.sum_of_exponentials, statistics.label_logit});
    group.all_reduce(sums);
    statistics.sum_of_exponentials = sums[0];
    statistics.label_logit = sums[1];
  };
  return {.first = group_.rank() * weight_->local_shape()[0], .combine = combine};
}

at::Tensor VocabParallelHead::logits(const at::Tensor& hidden) const {
  at::Tensor logits = kernels::linear(to_tensor_region(hidden), weight_->use(), {}, kernels_);
  if (softcap_ > 0.0) logits = at::tanh(logits / softcap_) * softcap_;
  return gather_from_tensor_region(logits, group_);
}

at::Tensor VocabParallelHead::losses(const at::Tensor& hidden, const at::Tensor& labels) const {
  return kernels::linear_cross_entropy(to_tensor_region(hidden), weight_->use(), labels, shard(), softcap_,
                                       kernels_);
}

kernels::OutputLayerLoss VocabParallelHead::losses_and_gradients(const at::Tensor& hidden,
                                                                 const at::Tensor& labels,
                                                                 const at::Tensor& loss_gradient) const {
  const at::NoGradGuard no_grad;
  kernels::OutputLayerLoss result = kernels::linear_cross_entropy_with_gradients(
      sequence_parallel_ ? group_.all_gather(hidden) : hidden, weight_->use(), labels, loss_gradient, shard(),
      softcap_, kernels_);
  // Each rank has the part of the gradient that comes from its columns.
  if (sequence_parallel_) {
    result.hidden_gradient = group_.reduce_scatter(result.hidden_gradient);
  } else {
    group_.all_reduce(result.hidden_gradient);
  }
  return result;
}

}  // namespace primus::parallel
