#include "parallel/layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/linear.h"

namespace primus::parallel {

namespace {

Shard over(const Group& group, int dim, int blocks = 1) {
  return {.dim = dim, .rank = group.rank(), .size = group.size(), .blocks = blocks};
}

std::optional<kernels::Weight> optional_weight(const Parameter* parameter) {
  return parameter != nullptr ? std::optional(parameter->weight) : std::nullopt;
}

constexpr Initializer zero = {.kind = Initializer::Kind::constant, .value = 0.0};

}  // namespace

ColumnParallelLinear::ColumnParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters)
    : kernels_(spec.kernels) {
  const Shard rows = over(mesh.tensor(), 0, spec.blocks);
  weight_ = &parameters.add(
      {.name = spec.name + ".weight", .global_shape = {spec.out, spec.in}, .shard = rows, .init = spec.init});
  if (spec.bias) {
    bias_ = &parameters.add({.name = spec.name + ".bias",
                             .global_shape = {spec.out},
                             .shard = rows,
                             .init = zero,
                             .decay = false});
  }
}

at::Tensor ColumnParallelLinear::forward(const at::Tensor& x) const {
  return kernels::linear(x, weight_->weight, bias(), kernels_);
}

at::Tensor ColumnParallelLinear::forward_without_bias(const at::Tensor& x) const {
  return kernels::linear(x, weight_->weight, {}, kernels_);
}

std::optional<kernels::Weight> ColumnParallelLinear::bias() const { return optional_weight(bias_); }

RowParallelLinear::RowParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters)
    : kernels_(spec.kernels) {
  weight_ = &parameters.add({.name = spec.name + ".weight",
                             .global_shape = {spec.out, spec.in},
                             .shard = over(mesh.tensor(), 1),
                             .init = spec.init});
  if (spec.bias) {
    bias_ = &parameters.add(
        {.name = spec.name + ".bias", .global_shape = {spec.out}, .init = zero, .decay = false});
  }
}

at::Tensor RowParallelLinear::forward_without_bias(const at::Tensor& x) const {
  return kernels::linear(x, weight_->weight, {}, kernels_);
}

std::optional<kernels::Weight> RowParallelLinear::bias() const { return optional_weight(bias_); }

VocabParallelEmbedding::VocabParallelEmbedding(const std::string& name, std::int64_t rows, std::int64_t width,
                                               const Initializer& init, const Mesh& mesh,
                                               ParameterSet& parameters)
    : weight_(&parameters.add({.name = name + ".weight",
                               .global_shape = {rows, width},
                               .shard = over(mesh.tensor(), 0),
                               .init = init})) {}

at::Tensor VocabParallelEmbedding::forward(const at::Tensor& ids) const {
  return kernels::embedding(ids, weight_->weight);
}

VocabParallelHead::VocabParallelHead(Parameter& weight, const Mesh&, double softcap,
                                     const kernels::KernelOptions& kernels)
    : weight_(&weight), softcap_(softcap), kernels_(kernels) {}

at::Tensor VocabParallelHead::logits(const at::Tensor& hidden) const {
  const at::Tensor logits = kernels::linear(hidden, weight_->weight, {}, kernels_);
  return softcap_ > 0.0 ? at::tanh(logits / softcap_) * softcap_ : logits;
}

at::Tensor VocabParallelHead::loss(const at::Tensor& hidden, const at::Tensor& labels) const {
  return kernels::linear_cross_entropy(hidden, weight_->weight, labels, {}, softcap_, kernels_);
}

}  // namespace primus::parallel
