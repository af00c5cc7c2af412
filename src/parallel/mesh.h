#pragma once

#include "parallel/group.h"

namespace primus::parallel {

/// The groups of ranks along each axis of parallelism, in Megatron's terms. A value that is passed to whoever
/// communicates: there is no global parallel state.
class Mesh {
 public:
  /// The mesh of a process that runs alone.
  Mesh() = default;

  const Group& tensor() const { return tensor_; }
  const Group& data() const { return data_; }

 private:
  Group tensor_;
  Group data_;
};

}  // namespace primus::parallel
