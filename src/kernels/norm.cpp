#include "kernels/norm.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/norm.h"
#include "kernels/span.h"

namespace primus::kernels {

namespace {

at::Tensor factor(const at::Tensor& weight, bool zero_centered, at::ScalarType dtype) {
  const at::Tensor w = weight.to(dtype);
  return zero_centered ? w + 1.0 : w;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const Weight& weight, double epsilon, bool zero_centered,
                    const KernelOptions& options) {
  const OperatorSpan span("Norm");
  if (options.fused_norm && cpu::covers_norm(x, weight.value)) {
    return cpu::fused_norm(x, weight, {}, {epsilon, zero_centered});
  }
  const at::ScalarType dtype = compute_dtype(x);
  const at::Tensor wide = x.to(dtype);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + epsilon);
  return (wide * scale * factor(tracked(weight), zero_centered, dtype)).to(x.scalar_type());
}

at::Tensor layer_norm(const at::Tensor& x, const Weight& weight, const Weight& bias, double epsilon,
                      bool zero_centered, const KernelOptions& options) {
  const OperatorSpan span("Norm");
  if (options.fused_norm && cpu::covers_norm(x, weight.value)) {
    return cpu::fused_norm(x, weight, bias, {epsilon, zero_centered});
  }
  const at::ScalarType dtype = compute_dtype(x);
  const at::Tensor w = factor(tracked(weight), zero_centered, dtype);
  return at::layer_norm(x.to(dtype), weight.value.sizes(), w, tracked(bias).to(dtype), epsilon)
      .to(x.scalar_type());
}

}  // namespace primus::kernels
