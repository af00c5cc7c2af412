#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "parallel/parameter.h"

namespace primus::optimizer {

struct BufferOptions {
  /// A bucket closes when it holds at least so many elements; 0: one bucket for all.
  std::int64_t bucket_size = 0;
  /// The ranks that reduce each bucket: its length is padded so that every one could own an equal, aligned
  /// part.
  int data_parallel_rank = 0;
  int data_parallel_size = 1;
  /// Each rank's optimizer updates its part of every bucket alone (Megatron's distributed optimizer).
  bool use_distributed_optimizer = false;
};

/// Where a parameter lies in the flat buffers, in elements.
struct BufferSlot {
  parallel::Parameter* parameter = nullptr;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  int bucket = 0;
};

/// A range of the flat buffers that is reduced, and gathered, as one.
struct Bucket {
  std::int64_t begin = 0;
  /// Includes the padding.
  std::int64_t end = 0;
};

/// The weights and the fp32 gradients of some parameters, each contiguous: Megatron's _ParamAndGradBuffer.
///
/// Parameters lie in the reverse of their order of use, because backward completes their gradients in that
/// order; each starts at a multiple of 64 elements, and padding is zero. Every parameter's weight becomes a
/// view into `weights()`, and its sink's `main_grad` a view into `gradients()`, so build the buffer before
/// the first forward pass.
///
/// For overlap of reduction and backward: call `expect_gradients` before the first backward of an iteration.
/// `on_bucket_ready` is then called as soon as a bucket's gradients are complete, which is when each of its
/// parameters was accumulated into once per use and micro-batch, in whatever order: a zero-bubble pipeline
/// may end with the weight gradients of an early micro-batch.
class ParamAndGradBuffer {
 public:
  ParamAndGradBuffer(const std::vector<parallel::Parameter*>& parameters, const BufferOptions& options);
  ParamAndGradBuffer(const ParamAndGradBuffer&) = delete;
  ParamAndGradBuffer& operator=(const ParamAndGradBuffer&) = delete;
  ~ParamAndGradBuffer();

  /// Flat, in the parameters' dtype.
  const at::Tensor& weights() const { return weights_; }
  /// Flat, fp32, the same length.
  const at::Tensor& gradients() const { return gradients_; }
  const std::vector<BufferSlot>& slots() const { return slots_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }

  void zero_gradients();

  /// The part of a bucket that this rank's optimizer updates: with the distributed optimizer an equal share,
  /// else all of it.
  Bucket owned_part(int bucket) const;
  bool use_distributed_optimizer() const { return options_.use_distributed_optimizer; }

  /// Called with the index of each complete bucket, once per `expect_gradients`.
  std::function<void(int bucket)> on_bucket_ready;
  void expect_gradients(std::int64_t num_microbatches);
  /// After the last backward: throws Error naming a parameter whose gradient was accumulated too seldom.
  void check_complete() const;

 private:
  struct Readiness;

  void lay_out(const std::vector<parallel::Parameter*>& parameters);
  void attach(BufferSlot& slot);
  void count_accumulation(std::size_t slot);

  BufferOptions options_;
  std::vector<BufferSlot> slots_;
  std::vector<Bucket> buckets_;
  at::Tensor weights_;
  at::Tensor gradients_;
  std::unique_ptr<Readiness> readiness_;
};

/// The parameters of a model chunk by the buffer that they share: the dense ones, and those of experts, which
/// are reduced over another group. Without empty groups; each in the order of use.
std::vector<std::vector<parallel::Parameter*>> group_for_buffers(const parallel::ParameterSet& chunk);

}  // namespace primus::optimizer
