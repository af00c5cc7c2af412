#include "plan/timing.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>

namespace primus::plan {

namespace {

constexpr std::int64_t gemm_size = 1536;

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
  if (dtype == at::kBFloat16) matrices_.push_back(matrix);
}

double GemmPeak::measure() const {
  constexpr double flops = 2.0 * gemm_size * gemm_size * gemm_size;
  double best = 0;
  for (const at::Tensor& a : matrices_) {
    for (int i = 0; i < 3; ++i) {
      best = std::max(best, flops / seconds_of([&a] { at::mm(a, a); }) / 1e9);
    }
  }
  return best;
}

}  // namespace primus::plan
