#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <memory>
#include <vector>

#include "optimizer/param_and_grad_buffer.h"
#include "parallel/parameter.h"

namespace primus::optimizer::testing {

/// A few parameters of odd sizes, as a model would have: decayed and not, tied, larger than one block of
/// work.
inline std::unique_ptr<parallel::ParameterSet> small_model(at::ScalarType dtype = at::kFloat) {
  auto set = std::make_unique<parallel::ParameterSet>(dtype, at::kCPU);
  set->add({.name = "embedding.word_embeddings.weight",
            .global_shape = {300, 137},
            .role = parallel::Role::word_embeddings});
  set->add({.name = "decoder.layers.0.input_layernorm.weight",
            .global_shape = {137},
            .init = {.kind = parallel::Initializer::Kind::constant, .value = 1.0},
            .decay = false});
  set->add({.name = "decoder.layers.0.mlp.linear_fc1.weight", .global_shape = {62, 137}});
  set->add({.name = "decoder.layers.0.mlp.linear_fc1.bias", .global_shape = {1}, .decay = false});
  set->add({.name = "output_layer.weight", .global_shape = {33, 7}, .role = parallel::Role::output_layer});
  for (const auto& parameter : set->all()) parameter->initialize(1234);
  return set;
}

inline std::vector<parallel::Parameter*> pointers(const parallel::ParameterSet& set) {
  std::vector<parallel::Parameter*> result;
  for (const auto& parameter : set.all()) result.push_back(parameter.get());
  return result;
}

/// Pseudo-random gradients, the same for the same step in every layout.
inline void fill_gradients(const parallel::ParameterSet& set, int step) {
  for (const auto& parameter : set.all()) {
    const at::Tensor& gradient = parameter->weight.sink->main_grad;
    const auto count = static_cast<double>(gradient.numel());
    gradient.copy_(at::sin(at::arange(count) * (1.7 + step) + 0.3).mul_(0.01).view(gradient.sizes()));
  }
}

}  // namespace primus::optimizer::testing
