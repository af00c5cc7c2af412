#pragma once

#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace primus::parallel {

/// An operation that goes on in the background. Waiting twice is fine; a default-made one is complete.
class Pending {
 public:
  Pending() = default;
  explicit Pending(std::shared_future<void> done) : done_(std::move(done)) {}

  /// Returns when the operation is complete and its results can be read; throws what it threw.
  void wait() const {
    if (done_.valid()) done_.get();
  }

 private:
  std::shared_future<void> done_;
};

/// Runs operations one after the other, in the order in which they were added, on a thread of its own that is
/// started by the first of them.
class TaskQueue {
 public:
  TaskQueue();
  /// Drops what has not begun. An operation that is going on is left to itself: it may wait for ranks that
  /// have failed, and whoever unwinds from that failure must not wait with it. What the operation uses it
  /// must therefore own.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  Pending add(std::function<void()> task);

  /// Runs `task` on this thread after all that was added before.
  void run(const std::function<void()>& task);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace primus::parallel
