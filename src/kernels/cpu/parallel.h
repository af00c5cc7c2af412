#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

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

/// Rows per thread below which a second thread costs more than it does.
inline std::int64_t row_grain(std::int64_t row_size) {
  constexpr std::int64_t elements = 16384;
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(1, row_size));
}

/// Sums over rows that several threads make: body(first_row, last_row, sums [width]) adds to its own sums;
/// the result is their total, added in order. For a given number of threads it is always the same. A few rows
/// are summed at a time, which keeps rounding errors from growing with the number of rows.
template <class Body>
at::Tensor sum_over_rows(std::int64_t rows, std::int64_t width, std::int64_t row_size, const Body& body) {
  const std::int64_t parts = std::clamp<std::int64_t>(rows / row_grain(row_size), 1, at::get_num_threads());
  at::Tensor sums = at::zeros({parts, width}, at::kFloat);
  at::parallel_for(0, parts, 1, [&](std::int64_t first_part, std::int64_t last_part) {
    constexpr std::int64_t few = 32;
    std::vector<float> of_few(static_cast<std::size_t>(width));
    for (std::int64_t part = first_part; part < last_part; ++part) {
      float* total = sums.mutable_data_ptr<float>() + part * width;
      const std::int64_t last = rows * (part + 1) / parts;
      for (std::int64_t first = rows * part / parts; first < last; first += few) {
        std::fill(of_few.begin(), of_few.end(), 0.0F);
        body(first, std::min(first + few, last), of_few.data());
        for (std::int64_t i = 0; i < width; ++i) total[i] += of_few[static_cast<std::size_t>(i)];
      }
    }
  });
  return parts == 1 ? sums.squeeze(0) : sums.sum(0);
}

}  // namespace primus::kernels::cpu
