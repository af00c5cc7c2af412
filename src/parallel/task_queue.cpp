#include "parallel/task_queue.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace primus::parallel {

struct TaskQueue::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::packaged_task<void()>> tasks;
  bool busy = false;
  bool stopping = false;
  std::thread thread;

  void work();
};

void TaskQueue::State::work() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return stopping || !tasks.empty(); });
    if (stopping) return;
    std::packaged_task<void()> task = std::move(tasks.front());
    tasks.pop_front();
    busy = true;
    lock.unlock();
    task();
    task = {};  // Its tensors are freed before anyone is told.
    lock.lock();
    busy = false;
    changed.notify_all();
  }
}

TaskQueue::TaskQueue() : state_(std::make_shared<State>()) {}

TaskQueue::~TaskQueue() {
  std::unique_lock lock(state_->mutex);
  if (!state_->thread.joinable()) return;
  state_->stopping = true;
  state_->tasks.clear();
  std::thread thread = std::move(state_->thread);
  const bool busy = state_->busy;
  lock.unlock();
  state_->changed.notify_all();
  if (busy) {
    thread.detach();
  } else {
    thread.join();
  }
}

Pending TaskQueue::add(std::function<void()> task) {
  std::packaged_task<void()> packaged(std::move(task));
  Pending pending(packaged.get_future().share());
  {
    const std::lock_guard lock(state_->mutex);
    state_->tasks.push_back(std::move(packaged));
    if (!state_->thread.joinable()) {
      state_->thread = std::thread([state = state_] { state->work(); });
    }
  }
  state_->changed.notify_all();
  return pending;
}

void TaskQueue::run(const std::function<void()>& task) {
  {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->tasks.empty() && !state_->busy; });
  }
  task();
}

}  // namespace primus::parallel
