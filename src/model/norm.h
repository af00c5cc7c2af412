#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/transformer_config.h"
#include "parallel/parameter.h"

namespace primus::model {

/// LayerNorm or RMSNorm over the last dimension, as the configuration says.
class Norm {
 public:
  /// `name` is completed by "weight" and, for LayerNorm, "bias". `sees_a_part`: each tensor-parallel rank
  /// norms its part of the tokens or heads, so that the gradients are partial sums.
  Norm(const TransformerConfig& config, const std::string& name, std::int64_t size, bool sees_a_part,
       parallel::ParameterSet& parameters);

  at::Tensor forward(const at::Tensor& x) const;

 private:
  double epsilon_;
  bool zero_centered_;
  kernels::KernelOptions kernels_;
  parallel::Parameter* weight_;
  parallel::Parameter* bias_ = nullptr;
};

}  // namespace primus::model
