#pragma once

#include <ATen/Parallel.h>

#include <atomic>
#include <cstdint>

namespace primus::kernels::cpu {

/// Runs body(task) for every task below `tasks` on all threads; each takes the next task when it is done with
/// its last, so uneven tasks are no loss. `start` is called once per thread and gives the body.
template <class Start>
void run_tasks(std::int64_t tasks, const Start& start) {
  std::atomic<std::int64_t> next{0};
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), tasks);
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    auto body = start();
    for (std::int64_t task = next++; task < tasks; task = next++) {
      body(task);
    }
  });
}

}  // namespace primus::kernels::cpu
