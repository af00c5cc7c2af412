#include "model/mlp.h"

namespace primus::model {

Mlp::Mlp(const TransformerConfig& config, const std::string& name, const parallel::Mesh& mesh,
         parallel::ParameterSet& parameters)
    : activation_(config.activation),
      linear_fc1_({.name = name + ".linear_fc1",
                   .in = config.hidden_size,
                   .out = config.ffn_hidden_size * (config.gated() ? 2 : 1),
                   .bias = config.add_bias_linear,
                   .init = {.value = config.init_method_std},
                   .blocks = config.gated() ? 2 : 1,
                   .kernels = config.kernels},
                  mesh, parameters),
      linear_fc2_({.name = name + ".linear_fc2",
                   .in = config.ffn_hidden_size,
                   .out = config.hidden_size,
                   .bias = config.add_bias_linear,
                   .init = {.value = config.output_init_std()},
                   .kernels = config.kernels},
                  mesh, parameters) {}

at::Tensor Mlp::forward(const at::Tensor& x) const {
  return linear_fc2_.forward_of_activation(linear_fc1_.forward_without_bias(x), linear_fc1_.bias(),
                                           activation_);
}

}  // namespace primus::model
