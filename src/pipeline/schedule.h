#pragma once

#include <cstdint>
#include <vector>

namespace primus::pipeline {

/// One piece of work of a rank: of one of its model chunks for one micro-batch.
struct Action {
  enum class Kind {
    forward,
    /// Gradients of input and weights together.
    backward,
    /// The two halves of a backward pass, as zero-bubble pipelines order them apart (Qi et al., 2023).
    backward_input,
    backward_weight
  };
  Kind kind = Kind::forward;
  int chunk = 0;
  std::int64_t microbatch = 0;

  bool operator==(const Action&) const = default;
};

/// What one rank does in an iteration, in order.
using Schedule = std::vector<Action>;

/// Without pipeline stages: each micro-batch goes forward through all chunks and backward again before the
/// next one, so that the activations of one are alive at a time.
Schedule schedule_without_pipelining(std::int64_t num_microbatches, int num_chunks = 1);

}  // namespace primus::pipeline
