#pragma once

#include <ATen/record_function.h>

namespace primus::kernels {

/// Names the work of a scope to whoever watches operators: libtorch's profiler, or `benchmark step`. Costs
/// nothing when nobody does. Backward passes need none: autograd names them after their function.
class OperatorSpan {
 public:
  explicit OperatorSpan(const char* name) : record_(at::RecordScope::USER_SCOPE) {
    if (record_.isActive()) record_.before(name);
  }

 private:
  at::RecordFunction record_;
};

}  // namespace primus::kernels
