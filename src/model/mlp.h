#pragma once

#include "model/layer_spec.h"
#include "parallel/layers.h"

namespace primus::model {

/// Two linears with the activation between them. Gated activations (Shazeer, 2020) have a first linear of
/// twice the width: the gate's rows, then the rows that it multiplies.
class Mlp : public LayerPart {
 public:
  explicit Mlp(const PartContext& context);

  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const override;
  std::optional<kernels::Weight> bias() const override { return linear_fc2_.bias(); }

 private:
  kernels::Activation activation_;
  parallel::ColumnParallelLinear linear_fc1_;
  parallel::RowParallelLinear linear_fc2_;
};

extern const PartKind mlp;

}  // namespace primus::model
