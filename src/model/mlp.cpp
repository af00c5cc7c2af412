#include "model/mlp.h"

namespace primus::model {

namespace {

PartCosts mlp_costs(const TransformerConfig& config, const LayerSpec& layer, std::int64_t /*seq_length*/) {
  const std::int64_t width = layer.ffn_hidden_size, first = width * (config.gated() ? 2 : 1);
  // The input of the second linear is computed again in backward.
  return {.multiply_adds = static_cast<double>(config.hidden_size) * static_cast<double>(first + width),
          .kept_elements = first};
}

}  // namespace

const PartKind mlp = {.name = "mlp",
                      .norm = "mlp.linear_fc1.layer_norm_",
                      .make = [](const PartContext& context) -> std::unique_ptr<LayerPart> {
                        return std::make_unique<Mlp>(context);
                      },
                      .costs = mlp_costs};

Mlp::Mlp(const PartContext& context)
    : activation_(context.config.activation),
      linear_fc1_({.name = context.name + ".linear_fc1",
                   .in = context.config.hidden_size,
                   .out = context.layer.ffn_hidden_size * (context.config.gated() ? 2 : 1),
                   .bias = context.config.add_bias_linear,
                   .init = {.value = context.config.init_method_std},
                   .blocks = context.config.gated() ? 2 : 1,
                   .kernels = context.config.kernels},
                  context.mesh, context.parameters),
      linear_fc2_({.name = context.name + ".linear_fc2",
                   .in = context.layer.ffn_hidden_size,
                   .out = context.config.hidden_size,
                   .bias = context.config.add_bias_linear,
                   .init = {.value = context.config.output_init_std()},
                   .kernels = context.config.kernels},
                  context.mesh, context.parameters) {}

at::Tensor Mlp::forward(const at::Tensor& x, const ForwardContext& /*context*/) const {
  return linear_fc2_.forward_of_activation(linear_fc1_.forward_without_bias(x), linear_fc1_.bias(),
                                           activation_);
}

}  // namespace primus::model
