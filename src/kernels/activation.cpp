#include "kernels/activation.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/activation.h"
#include "kernels/linear.h"
#include "kernels/span.h"

namespace primus::kernels {

bool is_gated(Activation kind) {
  return kind == Activation::swiglu || kind == Activation::geglu || kind == Activation::quick_geglu;
}

namespace {

at::Tensor apply(const at::Tensor& x, Activation kind);

at::Tensor apply_to_gate(const at::Tensor& x, Activation kind) {
  const std::int64_t half = x.size(-1) / 2;
  return apply(x.slice(-1, 0, half), kind) * x.slice(-1, half);
}

at::Tensor apply(const at::Tensor& x, Activation kind) {
  switch (kind) {
    case Activation::gelu: return at::gelu(x);
    case Activation::gelu_tanh: return at::gelu(x, "tanh");
    case Activation::relu: return at::relu(x);
    case Activation::squared_relu: return at::relu(x).square();
    case Activation::silu: return at::silu(x);
    case Activation::swiglu: return apply_to_gate(x, Activation::silu);
    case Activation::geglu: return apply_to_gate(x, Activation::gelu);
    case Activation::quick_geglu: {
      const at::Tensor gate = x.slice(-1, 0, x.size(-1) / 2);
      return gate * at::sigmoid(1.702 * gate) * x.slice(-1, x.size(-1) / 2);
    }
  }
  return {};
}

}  // namespace

at::Tensor activation(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                      const KernelOptions& options) {
  const OperatorSpan span("Activation");
  if (options.fused_activation && cpu::covers_activation(x, bias))
    return cpu::fused_activation(x, bias, kind);
  const at::ScalarType dtype = compute_dtype(x);
  at::Tensor wide = x.to(dtype);
  if (bias) wide = wide + tracked(*bias).to(dtype);
  return apply(wide, kind).to(x.scalar_type());
}

at::Tensor activation_linear(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                             const Weight& weight, const KernelOptions& options) {
  if (options.fused_activation && cpu::covers_activation(x, bias)) {
    const OperatorSpan span("ActivationLinear");
    return cpu::fused_activation_linear(x, bias, kind, weight, options);
  }
  return linear(activation(x, bias, kind, options), weight, {}, options);
}

}  // namespace primus::kernels
