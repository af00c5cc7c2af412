#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace primus::plan {

/// Wall-clock time of one call.
double seconds_of(const std::function<void()>& function);

/// The upper one of the two in the middle when their number is even. `values` must not be empty.
double median(std::vector<double> values);

/// The rate of a large matrix product, in GFLOP/s: what all figures are a share of. For bf16 the better one
/// of bf16 and fp32, since bf16 numbers can be multiplied as either. Measured again and again between what it
/// is compared with, since machines are shared.
class GemmPeak {
 public:
  explicit GemmPeak(at::ScalarType dtype);

  /// The best of three products of each kind.
  double measure() const;

 private:
  std::vector<at::Tensor> matrices_;
};

}  // namespace primus::plan
