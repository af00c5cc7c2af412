#include "kernels/cpu/parallel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace primus::kernels::cpu {
namespace {

/// Each of two tasks waits for the other to start, which on one thread it never does.
TEST(Parallel, TasksRunAtTheSameTimeOnTwoThreads) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "built without OpenMP, whose barriers ThreadSanitizer does not know";
#endif
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  std::atomic<int> started{0};
  std::atomic<int> met{0};
  run_tasks(2, [&] {
    return [&](std::int64_t) {
      ++started;
      const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
      while (started < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
      if (started == 2) ++met;
    };
  });
  at::set_num_threads(threads);
  EXPECT_EQ(met, 2);
}

}  // namespace
}  // namespace primus::kernels::cpu
