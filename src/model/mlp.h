#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "model/transformer_config.h"
#include "parallel/layers.h"

namespace primus::model {

/// Two linears with the activation between them. Gated activations (Shazeer, 2020) have a first linear of
/// twice the width: the gate's rows, then the rows that it multiplies.
class Mlp {
 public:
  Mlp(const TransformerConfig& config, const std::string& name, const parallel::Mesh& mesh,
      parallel::ParameterSet& parameters);

  /// x [s, b, h], normed; returns [s, b, h] to which the bias is yet to be added.
  at::Tensor forward(const at::Tensor& x) const;
  std::optional<kernels::Weight> bias() const { return linear_fc2_.bias(); }

 private:
  kernels::Activation activation_;
  parallel::ColumnParallelLinear linear_fc1_;
  parallel::RowParallelLinear linear_fc2_;
};

}  // namespace primus::model
