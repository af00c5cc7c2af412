#include "model/transformer_layer.h"

#include <fmt/format.h>

#include "kernels/dropout.h"

namespace primus::model {

namespace {

std::string name_of(const LayerSpec& layer, const std::string& part) {
  return fmt::format("decoder.layers.{}.{}", layer.number, part);
}

}  // namespace

TransformerLayer::TransformerLayer(const TransformerConfig& config, const LayerSpec& layer,
                                   std::size_t cache_slot, const parallel::Mesh& mesh,
                                   parallel::ParameterSet& parameters)
    : layer_(layer.number),
      hidden_size_(config.hidden_size),
      dropout_(config.hidden_dropout),
      kernels_(config.kernels),
      input_layernorm_(config, name_of(layer, layer.attention->norm), config.hidden_size,
                       mesh.sequence_parallel(), parameters),
      attention_(layer.attention->make(
          {config, layer, cache_slot, name_of(layer, layer.attention->name), mesh, parameters})),
      pre_mlp_layernorm_(config, name_of(layer, layer.feed_forward->norm), config.hidden_size,
                         mesh.sequence_parallel(), parameters),
      feed_forward_(layer.feed_forward->make(
          {config, layer, cache_slot, name_of(layer, layer.feed_forward->name), mesh, parameters})) {}

at::Tensor TransformerLayer::forward(const at::Tensor& x, const ForwardContext& context) const {
  const at::Tensor normed = input_layernorm_.forward(x);
  const at::Tensor attended = attention_->forward(normed, context);
  const at::Tensor hidden = add(x, attended, attention_->bias(), "attention_output", context);

  const at::Tensor normed_hidden = pre_mlp_layernorm_.forward(hidden);
  const at::Tensor widened = feed_forward_->forward(normed_hidden, context);
  return add(hidden, widened, feed_forward_->bias(), "mlp_output", context);
}

at::Tensor TransformerLayer::add(const at::Tensor& residual, const at::Tensor& x,
                                 const std::optional<kernels::Weight>& bias, const char* site,
                                 const ForwardContext& context) const {
  if (!context.training || dropout_ == 0.0) {
    return kernels::bias_dropout_add(x, bias, residual, 0.0, {}, kernels_);
  }
  return kernels::bias_dropout_add(x, bias, residual, dropout_,
                                   context.hidden_dropout_key(layer_, site, hidden_size_), kernels_);
}

}  // namespace primus::model
