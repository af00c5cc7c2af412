#pragma once

#include <ATen/core/Tensor.h>

namespace primus::parallel {

/// An ordered set of ranks that communicate. A group of one rank makes every collective a no-op, so the
/// single-process path runs the same code as all others.
class Group {
 public:
  /// The group that holds this process alone.
  Group() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace primus::parallel
