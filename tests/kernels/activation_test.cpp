#include "kernels/activation.h"

#include <cmath>

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

double gelu(double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
  return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}
double silu(double x) { return x / (1.0 + std::exp(-x)); }
double quick_gelu(double x) { return x / (1.0 + std::exp(-1.702 * x)); }
double relu(double x) { return std::max(x, 0.0); }

using Function = double (*)(double);

at::Tensor mapped(const at::Tensor& x, Function function) {
  at::Tensor y = x.clone();
  double* values = y.data_ptr<double>();
  for (std::int64_t i = 0; i < y.numel(); ++i) values[i] = function(values[i]);
  return y;
}

at::Tensor activation_by_definition(const at::Tensor& x, Activation kind) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor gate = x.slice(-1, 0, half).contiguous(), up = x.slice(-1, half);
  switch (kind) {
    case Activation::gelu: return mapped(x, gelu);
    case Activation::gelu_tanh: return mapped(x, gelu_tanh);
    case Activation::relu: return mapped(x, relu);
    case Activation::squared_relu: return mapped(x, relu).square();
    case Activation::silu: return mapped(x, silu);
    case Activation::swiglu: return mapped(gate, silu) * up;
    case Activation::geglu: return mapped(gate, gelu) * up;
    case Activation::quick_geglu: return mapped(gate, quick_gelu) * up;
  }
  return {};
}

constexpr Activation all_kinds[] = {Activation::gelu,         Activation::gelu_tanh,  Activation::relu,
                                    Activation::squared_relu, Activation::silu,       Activation::swiglu,
                                    Activation::geglu,        Activation::quick_geglu};

TEST(Activation, EveryKindEqualsItsDefinition) {
  const at::Tensor x = random_tensor({4, 2, 6}, 1), bias = random_tensor({6}, 2);
  for (const Activation kind : all_kinds) {
    expect_close(activation(x, plain_weight(bias), kind), activation_by_definition(x + bias, kind), 1e-14,
                 std::to_string(static_cast<int>(kind)));
  }
}

TEST(Activation, GradientsEqualCentralDifferences) {
  const at::Tensor value = random_tensor({1, 2, 6}, 3);
  for (const Activation kind : all_kinds) {
    const at::Tensor x = value.clone().requires_grad_();
    const at::Tensor y = activation(x, {}, kind);
    const at::Tensor dy = random_tensor(y.sizes(), 4);
    y.backward(dy);
    at::Tensor expected = at::zeros_like(value);
    constexpr double step = 1e-6;
    for (std::int64_t i = 0; i < value.numel(); ++i) {
      at::Tensor high = value.clone(), low = value.clone();
      high.data_ptr<double>()[i] += step;
      low.data_ptr<double>()[i] -= step;
      const at::Tensor slope =
          (activation_by_definition(high, kind) - activation_by_definition(low, kind)) / (2.0 * step);
      expected.data_ptr<double>()[i] = (slope * dy).sum().item<double>();
    }
    expect_close(x.grad(), expected, 1e-8, std::to_string(static_cast<int>(kind)));
  }
}

TEST(Activation, TheBiasGradientGoesToItsSink) {
  const at::Tensor x = random_tensor({4, 2, 6}, 1).requires_grad_();
  const Weight bias = sink_weight(random_tensor({6}, 2), at::kDouble);
  activation(x, bias, Activation::swiglu).backward(random_tensor({4, 2, 3}, 3));
  expect_close(bias.sink->main_grad, x.grad().sum(at::IntArrayRef{0, 1}), 1e-14);
}

}  // namespace
}  // namespace primus::kernels
