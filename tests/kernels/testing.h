#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/weight.h"

namespace primus::kernels {

/// A weight that hands its gradient to autograd.
inline Weight plain_weight(const at::Tensor& value) { return {value.detach().clone().requires_grad_(), {}}; }

/// A weight with a zeroed gradient buffer of dtype `dtype`.
inline Weight sink_weight(const at::Tensor& value, at::ScalarType dtype = at::kFloat) {
  Weight weight = plain_weight(value);
  weight.sink = c10::make_intrusive<GradientSink>();
  weight.sink->main_grad = at::zeros(value.sizes(), value.options().dtype(dtype));
  return weight;
}

/// ‖actual - expected‖ / ‖expected‖ in fp64.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor reference = expected.detach().to(at::kDouble);
  const at::Tensor difference = actual.detach().to(at::kDouble) - reference;
  return difference.norm().item<double>() / std::max(reference.norm().item<double>(), 1e-30);
}

/// sqrt(mean((x - truth)²)) in fp64.
inline double root_mean_square_error(const at::Tensor& x, const at::Tensor& truth) {
  return (x.to(at::kDouble) - truth).square().mean().sqrt().item<double>();
}

inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                         const std::string& what = "") {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  EXPECT_LE(relative_error(actual, expected), tolerance) << what;
}

/// Standard normal numbers that depend on `seed` alone.
inline at::Tensor random_tensor(at::IntArrayRef sizes, std::uint64_t seed,
                                at::ScalarType dtype = at::kDouble) {
  return at::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(seed), at::TensorOptions(at::kDouble))
      .to(dtype);
}

}  // namespace primus::kernels
