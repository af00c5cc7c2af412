#include "model/layer_spec.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/gpt_model.h"
#include "tests/model/tiny_config.h"

namespace primus::model {
namespace {

/// A feed-forward part of the test's own: every channel is scaled.
class Scale : public LayerPart {
 public:
  explicit Scale(const PartContext& context)
      : scale_(&context.parameters.add(
            {.name = context.name + ".scale",
             .global_shape = {context.config.hidden_size},
             .init = {.kind = parallel::Initializer::Kind::constant, .value = 0.5}})) {}

  at::Tensor forward(const at::Tensor& x, const ForwardContext& /*context*/) const override {
    return x * kernels::tracked(scale_->use());
  }

 private:
  parallel::Parameter* scale_;
};

const PartKind scale = {.name = "scale",
                        .norm = "pre_scale_layernorm.",
                        .make = [](const PartContext& context) -> std::unique_ptr<LayerPart> {
                          return std::make_unique<Scale>(context);
                        },
                        .costs = [](const TransformerConfig& config, const LayerSpec&,
                                    std::int64_t) { return PartCosts{.kept_elements = config.hidden_size}; }};

TEST(LayerSpec, ANewKindOfPartNeedsNoChangeOfTheModel) {
  const TransformerConfig config = tiny_llama();
  ChunkSpec chunk = ChunkSpec::whole(config);
  chunk.layers[1].feed_forward = &scale;
  GPTModel model(config, chunk, parallel::Mesh());
  model.initialize();
  const parallel::Parameter* parameter = model.parameters().find("decoder.layers.1.scale.scale");
  ASSERT_NE(parameter, nullptr);
  EXPECT_NE(model.parameters().find("decoder.layers.1.pre_scale_layernorm.weight"), nullptr);
  EXPECT_EQ(model.parameters().find("decoder.layers.1.mlp.linear_fc1.weight"), nullptr);
  EXPECT_NE(model.parameters().find("decoder.layers.0.mlp.linear_fc1.weight"), nullptr);

  const at::Tensor tokens = at::arange(8, at::kLong).view({1, 8});
  const at::Tensor logits = model.logits({.tokens = tokens});
  torch::autograd::backward({logits.sum()}, {});
  EXPECT_GT(parameter->weight.value.grad().abs().sum().item<float>(), 0);
}

TEST(LayerSpec, FollowsTheConfigurationLayerByLayer) {
  TransformerConfig config = tiny_llama();
  config.attention_windows.assign(static_cast<std::size_t>(config.num_layers), -1);
  config.attention_windows[1] = 4;
  const std::vector<LayerSpec> layers = layer_specs(config);
  ASSERT_EQ(static_cast<std::int64_t>(layers.size()), config.num_layers);
  EXPECT_EQ(layers[0].attention_window, -1);
  EXPECT_EQ(layers[1].attention_window, 4);
  EXPECT_EQ(layers[1].number, 1);
  EXPECT_TRUE(layers[0].rotary);
  EXPECT_FALSE(layer_specs(tiny_gpt2())[0].rotary);
}

}  // namespace
}  // namespace primus::model
