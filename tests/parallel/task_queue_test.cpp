#include "parallel/task_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace primus::parallel {
namespace {

TEST(TaskQueue, RunsWhatWasAddedInOrderAndThenWhatItIsAskedToRun) {
  for (int round = 0; round < 50; ++round) {
    std::vector<int> done, expected;
    TaskQueue queue;
    std::vector<Pending> pending;
    for (int i = 0; i < 20; ++i) {
      pending.push_back(queue.add([&done, i] { done.push_back(i); }));
      expected.push_back(i);
    }
    queue.run([&done] { done.push_back(20); });
    expected.push_back(20);
    EXPECT_EQ(done, expected);
    for (const Pending& each : pending) each.wait();
  }
}

TEST(TaskQueue, WhoWaitsSeesWhatTheOperationWrote) {
  TaskQueue queue;
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) queue.add([&sum] { ++sum; }).wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 800);
}

TEST(TaskQueue, WhoWaitsGetsTheFailureAndTheQueueGoesOn) {
  TaskQueue queue;
  const Pending failing = queue.add([] { throw std::runtime_error("broken"); });
  EXPECT_THROW(failing.wait(), std::runtime_error);
  EXPECT_THROW(failing.wait(), std::runtime_error);
  bool ran = false;
  queue.add([&ran] { ran = true; }).wait();
  EXPECT_TRUE(ran);
}

TEST(TaskQueue, EndsWithoutWaitingForAnOperationThatHangs) {
  std::promise<void> begun, release;
  const auto released = release.get_future().share();
  std::atomic<bool> dropped_ran = false;
  Pending hanging;
  {
    TaskQueue queue;
    hanging = queue.add([&begun, released] {
      begun.set_value();
      released.wait();
    });
    queue.add([&dropped_ran] { dropped_ran = true; });
    begun.get_future().wait();
  }
  release.set_value();
  hanging.wait();
  EXPECT_FALSE(dropped_ran);
}

}  // namespace
}  // namespace primus::parallel
