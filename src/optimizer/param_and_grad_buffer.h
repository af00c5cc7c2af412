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
  /// Ranks that share each bucket: its length is padded so that every one owns an equal, aligned part.
  int data_parallel_size = 1;
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
/// For overlap of reduction and backward: call `start_last_backward` before the last micro-batch's backward;
/// `on_bucket_ready` is then called as soon as a bucket's gradients are complete. How often a parameter's
/// gradient is added to in one backward (a tied embedding: twice) is learnt in the first, during which
/// nothing is reported early. `finish_backward` reports the buckets that were not.
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

  /// Called with the index of each completed bucket, once per `start_last_backward`.
  std::function<void(int bucket)> on_bucket_ready;
  void start_last_backward();
  void finish_backward();

 private:
  struct Readiness;

  void lay_out(const std::vector<parallel::Parameter*>& parameters, const BufferOptions& options);
  void attach(BufferSlot& slot);
  void count_accumulation(std::size_t slot);

  std::vector<BufferSlot> slots_;
  std::vector<Bucket> buckets_;
  at::Tensor weights_;
  at::Tensor gradients_;
  std::unique_ptr<Readiness> readiness_;
};

/// The parameters that share a buffer: dense ones, and those of experts, which are reduced over another
/// group. Only the groups that have any. In the order of use.
std::vector<std::vector<parallel::Parameter*>> group_for_buffers(
    const std::vector<const parallel::ParameterSet*>& chunks);

}  // namespace primus::optimizer
