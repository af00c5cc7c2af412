#include "model/layer_spec.h"

#include "model/mlp.h"
#include "model/self_attention.h"

namespace primus::model {

std::vector<LayerSpec> layer_specs(const TransformerConfig& config) {
  std::vector<LayerSpec> layers;
  for (std::int64_t number = 0; number < config.num_layers; ++number) {
    layers.push_back({.number = number,
                      .attention = &self_attention,
                      .feed_forward = &mlp,
                      .attention_window = config.attention_window(number),
                      .rotary = config.position_embedding == PositionEmbedding::rope,
                      .ffn_hidden_size = config.ffn_hidden_size});
  }
  return layers;
}

}  // namespace primus::model
