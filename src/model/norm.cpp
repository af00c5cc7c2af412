#include "model/norm.h"

#include "kernels/norm.h"

namespace primus::model {

using parallel::Initializer;

Norm::Norm(const TransformerConfig& config, const std::string& name, std::int64_t size, bool sees_a_part,
           parallel::ParameterSet& parameters)
    : epsilon_(config.layernorm_epsilon),
      zero_centered_(config.layernorm_zero_centered_gamma),
      kernels_(config.kernels) {
  const auto add = [&](const char* suffix, double value) {
    return &parameters.add({.name = name + suffix,
                            .global_shape = {size},
                            .init = {.kind = Initializer::Kind::constant, .value = value},
                            .decay = false,
                            .partial_gradient = sees_a_part});
  };
  weight_ = add("weight", zero_centered_ ? 0.0 : 1.0);
  if (config.normalization == Normalization::layer_norm) bias_ = add("bias", 0.0);
}

at::Tensor Norm::forward(const at::Tensor& x) const {
  if (bias_ == nullptr) return kernels::rms_norm(x, weight_->use(), epsilon_, zero_centered_, kernels_);
  return kernels::layer_norm(x, weight_->use(), bias_->use(), epsilon_, zero_centered_, kernels_);
}

}  // namespace primus::model
