#include "model/transformer_layer.h"

#include <fmt/format.h>

#include "kernels/dropout.h"

namespace primus::model {

namespace {

// Names as Megatron's Transformer Engine layers have them: a norm belongs to the linear that it feeds.
std::string prefix(std::int64_t layer, const char* part) {
  return fmt::format("decoder.layers.{}.{}", layer, part);
}

}  // namespace

TransformerLayer::TransformerLayer(const TransformerConfig& config, std::int64_t layer,
                                   std::size_t cache_slot, const parallel::Mesh& mesh,
                                   parallel::ParameterSet& parameters)
    : layer_(layer),
      hidden_size_(config.hidden_size),
      dropout_(config.hidden_dropout),
      kernels_(config.kernels),
      input_layernorm_(config, prefix(layer, "self_attention.linear_qkv.layer_norm_"), config.hidden_size,
                       mesh.sequence_parallel(), parameters),
      self_attention_(config, layer, cache_slot, prefix(layer, "self_attention"), mesh, parameters),
      pre_mlp_layernorm_(config, prefix(layer, "mlp.linear_fc1.layer_norm_"), config.hidden_size,
                         mesh.sequence_parallel(), parameters),
      mlp_(config, prefix(layer, "mlp"), mesh, parameters) {}

at::Tensor TransformerLayer::forward(const at::Tensor& x, const ForwardContext& context) const {
  const at::Tensor normed = input_layernorm_.forward(x);
  const at::Tensor attended = self_attention_.forward(normed, context);
  const at::Tensor hidden = add(x, attended, self_attention_.bias(), "attention_output", context);

  const at::Tensor normed_hidden = pre_mlp_layernorm_.forward(hidden);
  const at::Tensor widened = mlp_.forward(normed_hidden);
  return add(hidden, widened, mlp_.bias(), "mlp_output", context);
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
