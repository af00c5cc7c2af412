#include "kernels/activation.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/compute_dtype.h"

namespace primus::kernels {

bool is_gated(Activation kind) { return kind == Activation::swiglu || kind == Activation::geglu; }

namespace {

at::Tensor apply(const at::Tensor& x, Activation kind) {
  switch (kind) {
    case Activation::gelu: return at::gelu(x);
    case Activation::gelu_tanh: return at::gelu(x, "tanh");
    case Activation::relu: return at::relu(x);
    case Activation::squared_relu: return at::relu(x).square();
    case Activation::silu: return at::silu(x);
    case Activation::swiglu: {
      const auto branches = x.chunk(2, -1);
      return at::silu(branches[0]) * branches[1];
    }
    case Activation::geglu: {
      const auto branches = x.chunk(2, -1);
      return at::gelu(branches[0]) * branches[1];
    }
  }
  return {};
}

}  // namespace

at::Tensor activation(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                      const KernelOptions&) {
  const at::ScalarType dtype = compute_dtype(x);
  at::Tensor wide = x.to(dtype);
  if (bias) wide = wide + tracked(*bias).to(dtype);
  return apply(wide, kind).to(x.scalar_type());
}

}  // namespace primus::kernels
