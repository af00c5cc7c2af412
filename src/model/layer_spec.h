#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/weight.h"
#include "model/forward_context.h"
#include "model/transformer_config.h"
#include "parallel/mesh.h"
#include "parallel/parameter.h"

namespace primus::model {

struct LayerSpec;

/// The attention or the feed-forward part of a transformer layer, which the layer surrounds with a norm in
/// front and a residual sum behind.
class LayerPart {
 public:
  virtual ~LayerPart() = default;

  /// x [s, b, h], normed; returns [s, b, h] to which `bias` is yet to be added.
  virtual at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const = 0;
  /// [h], added by the caller, who fuses it with the residual sum; none by default.
  virtual std::optional<kernels::Weight> bias() const { return {}; }
};

/// What a part needs in order to be made.
struct PartContext {
  const TransformerConfig& config;
  const LayerSpec& layer;
  /// Number of the layer within its model chunk.
  std::size_t cache_slot;
  /// Prefix of the parameters, e.g. "decoder.layers.3.mlp".
  std::string name;
  const parallel::Mesh& mesh;
  parallel::ParameterSet& parameters;
};

/// What a part costs per token; see model/analysis.h.
struct PartCosts {
  /// Multiply-adds of a forward pass.
  double multiply_adds = 0;
  /// Numbers of the compute dtype, and further bytes, that forward keeps for backward.
  std::int64_t kept_elements = 0;
  std::int64_t kept_bytes = 0;
};

/// An alternative for a part of a layer. A new one is a file with a LayerPart and its PartKind, and a line in
/// `layer_specs` (layer_spec.cpp) that says which layers have it.
struct PartKind {
  /// Under which the layer's parameters are found, after "decoder.layers.N."; names are those of Megatron's
  /// Transformer Engine layers.
  std::string name;
  /// The norm in front: "weight" and "bias" are added. There a norm belongs to the linear that it feeds.
  std::string norm;
  std::unique_ptr<LayerPart> (*make)(const PartContext& context);
  PartCosts (*costs)(const TransformerConfig& config, const LayerSpec& layer, std::int64_t seq_length);
};

/// What one transformer layer is, derived from the configuration once; the layer, the counts of analysis.h
/// and the memory prediction follow from it.
struct LayerSpec {
  /// Global, from 0.
  std::int64_t number = 0;
  const PartKind* attention = nullptr;
  const PartKind* feed_forward = nullptr;
  /// How many earlier tokens a query sees beside its own; negative: all.
  std::int64_t attention_window = -1;
  /// Queries and keys are rotated by their positions.
  bool rotary = true;
  std::int64_t ffn_hidden_size = 0;
};

/// All layers of a model, in order.
std::vector<LayerSpec> layer_specs(const TransformerConfig& config);

}  // namespace primus::model
