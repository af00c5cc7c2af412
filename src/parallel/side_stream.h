#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <functional>
#include <optional>

namespace primus::parallel {

/// The place of an operation beside the computation that asked for it. On a GPU, where work is queued in
/// streams, the operation follows all that the asking thread has queued so far, in a stream of its own, so
/// that what is queued later does not wait for it. On the CPU work is done when its call returns, so the
/// operation is simply called.
class SideStream {
 public:
  /// Made by the thread that asks; `tensor` is what the operation works on.
  explicit SideStream(const at::Tensor& tensor);

  /// Runs the operation, on any thread, and returns when its results can be read.
  void run(const std::function<void()>& operation) const;

 private:
  c10::Device device_;
  std::optional<c10::Event> asked_;
};

}  // namespace primus::parallel
