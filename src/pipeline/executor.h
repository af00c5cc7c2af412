#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "pipeline/schedule.h"

namespace primus::pipeline {

/// Computations of weight gradients that are put off while a `backward_input` runs. They own what they need.
class DeferredWeightGradients {
 public:
  /// Puts a computation off, or runs it at once when nothing is being put off. From any thread.
  void add(std::function<void()> computation);

  /// Until `stop`, what is added waits for this chunk and micro-batch.
  void start(int chunk, std::int64_t microbatch);
  void stop();
  /// Runs what waits, in the order in which it was added.
  void run(int chunk, std::int64_t microbatch);
  bool empty() const { return waiting_.empty(); }

 private:
  using Key = std::pair<int, std::int64_t>;
  std::mutex mutex_;
  std::map<Key, std::vector<std::function<void()>>> waiting_;
  std::vector<std::function<void()>>* current_ = nullptr;
};

/// The model as the executor sees it.
class ChunkWork {
 public:
  virtual ~ChunkWork() = default;

  virtual int num_chunks() const = 0;
  /// `input`: what the chunk before returned, detached; undefined for the first. Returns the chunk's output.
  virtual at::Tensor forward(int chunk, std::int64_t microbatch, const at::Tensor& input) = 0;
  /// `output_gradient`: of what `forward` returned; undefined for the last chunk, which begins with the loss.
  /// Returns the gradient of `forward`'s input; undefined for the first chunk.
  virtual at::Tensor backward(int chunk, std::int64_t microbatch, const at::Tensor& output_gradient) = 0;
  virtual DeferredWeightGradients& deferred() = 0;
};

/// Runs a schedule over chunks that are all on this rank, handing activations and gradients from one to the
/// next. Throws Error naming the action when its input does not exist yet, or when work is left over.
void execute(const Schedule& schedule, ChunkWork& work);

}  // namespace primus::pipeline
