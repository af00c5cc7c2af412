#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "model/layer_spec.h"
#include "model/norm.h"

namespace primus::model {

/// One pre-norm block: x += dropout(attention(norm(x))), then x += dropout(feed_forward(norm(x))).
class TransformerLayer {
 public:
  /// `cache_slot`: number within the chunk.
  TransformerLayer(const TransformerConfig& config, const LayerSpec& layer, std::size_t cache_slot,
                   const parallel::Mesh& mesh, parallel::ParameterSet& parameters);

  /// x [s, b, h]; returns [s, b, h].
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;

 private:
  at::Tensor add(const at::Tensor& residual, const at::Tensor& x, const std::optional<kernels::Weight>& bias,
                 const char* site, const ForwardContext& context) const;

  std::int64_t layer_;
  std::int64_t hidden_size_;
  double dropout_;
  kernels::KernelOptions kernels_;
  Norm input_layernorm_;
  std::unique_ptr<LayerPart> attention_;
  Norm pre_mlp_layernorm_;
  std::unique_ptr<LayerPart> feed_forward_;
};

}  // namespace primus::model
