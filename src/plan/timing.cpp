#include "plan/timing.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>

namespace primus::plan {

namespace {

constexpr std::int64_t gemm_size = 1536;

/// Of the product of a matrix with itself, in GFLOP/s.
double rate_of(const at::Tensor& matrix) {
  constexpr double flops = 2.0 * gemm_size * gemm_size * gemm_size;
  return flops / seconds_of([&matrix] { at::mm(matrix, matrix); }) / 1e9;
}

}  // namespace

double seconds_of(const std::function<void()>& function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

GemmPeak::GemmPeak(at::ScalarType dtype) {
  const at::Tensor matrix = at::randn({gemm_size, gemm_size});
  matrices_ = {matrix.to(dtype)};
  if (dtype != at::kBFloat16) return;
  // Where there are no bf16 units, a product of bf16 numbers takes many times as long: it is not tried again.
  const double bf16 = rate_of(matrices_.front()), fp32 = rate_of(matrix);
  if (bf16 < fp32 / 3) matrices_.clear();
  if (fp32 > bf16 / 3) matrices_.push_back(matrix);
}

double GemmPeak::measure() const {
  double best = 0;
  for (const at::Tensor& matrix : matrices_) {
    for (int i = 0; i < 3; ++i) best = std::max(best, rate_of(matrix));
  }
  return best;
}

}  // namespace primus::plan
