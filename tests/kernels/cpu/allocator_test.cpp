#include "kernels/cpu/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace primus::kernels::cpu {
namespace {

TEST(CachingAllocator, gives_freed_memory_to_the_next_of_that_size) {
  CachingAllocator allocator;
  void* first = allocator.allocate(5 << 20).get();  // freed at once
  const c10::DataPtr second = allocator.allocate(5 << 20);
  EXPECT_EQ(second.get(), first);
  const c10::DataPtr third = allocator.allocate(5 << 20);
  EXPECT_NE(third.get(), first);
}

TEST(CachingAllocator, cuts_a_block_for_smaller_tensors_and_joins_it_again) {
  CachingAllocator allocator;
  void* freed = allocator.allocate(40 << 20).get();
  const std::int64_t reserved = allocator.statistics().reserved;
  {
    const c10::DataPtr a = allocator.allocate(20 << 20), b = allocator.allocate(10 << 20),
                       c = allocator.allocate(9 << 20);
    EXPECT_EQ(a.get(), freed);
  }
  // Whatever the order in which they were freed.
  EXPECT_EQ(allocator.allocate(40 << 20).get(), freed);
  EXPECT_EQ(allocator.statistics().reserved, reserved);
}

TEST(CachingAllocator, takes_the_smallest_block_that_is_large_enough) {
  CachingAllocator allocator;
  c10::DataPtr large = allocator.allocate(60 << 20), small = allocator.allocate(40 << 20);
  void* const fitting = small.get();
  large.clear();
  small.clear();
  EXPECT_EQ(allocator.allocate(39 << 20).get(), fitting);
}

TEST(CachingAllocator, keeps_small_tensors_out_of_what_large_ones_need) {
  CachingAllocator allocator;
  void* freed = allocator.allocate(40 << 20).get();
  const c10::DataPtr small = allocator.allocate(1000);
  EXPECT_EQ(allocator.allocate(40 << 20).get(), freed);
}

TEST(CachingAllocator, gives_back_only_segments_of_which_nothing_is_in_use) {
  CachingAllocator allocator;
  void* freed = allocator.allocate(40 << 20).get();
  c10::DataPtr part = allocator.allocate(20 << 20);
  EXPECT_EQ(part.get(), freed);
  allocator.release_cached();
  EXPECT_GT(allocator.statistics().reserved, 40 << 20);
  std::memset(part.get(), 1, 20 << 20);
  part.clear();
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().reserved, 0);
}

TEST(CachingAllocator, takes_little_more_than_asked_for_large_tensors) {
  CachingAllocator allocator;
  const std::size_t bytes = (std::size_t{129} << 20U) + 5;
  const c10::DataPtr data = allocator.allocate(bytes);
  EXPECT_LE(allocator.statistics().reserved, static_cast<std::int64_t>(bytes + (2 << 20)));
}

TEST(CachingAllocator, holds_little_more_in_a_training_step_than_is_in_use) {
  CachingAllocator allocator;
  const auto megabytes = [&](double count) {
    return allocator.allocate(static_cast<std::size_t>(count * 1e6));
  };
  for (int step = 0; step < 3; ++step) {
    std::vector<c10::DataPtr> kept;
    for (int layer = 0; layer < 12; ++layer) {
      kept.push_back(megabytes(3.1));
      const c10::DataPtr temporary = megabytes(5.3);
      for (const double size : {5.2, 16.8, 8.4, 3.1}) kept.push_back(megabytes(size));
    }
    const c10::DataPtr logits = megabytes(64);
    for (; !kept.empty(); kept.pop_back()) {
      const c10::DataPtr gradient = megabytes(8.4), packed = megabytes(2.3);
    }
  }
  const AllocatorStatistics statistics = allocator.statistics();
  EXPECT_LT(static_cast<double>(statistics.peak_reserved),
            1.15 * static_cast<double>(statistics.peak_in_use));
}

TEST(CachingAllocator, gives_no_byte_twice) {
  CachingAllocator allocator;
  std::mt19937 random(3);
  std::vector<std::pair<c10::DataPtr, std::size_t>> live;
  const std::size_t sizes[] = {3 << 20, 5 << 20, 17 << 20, 900, 70000};
  for (int step = 0; step < 4000; ++step) {
    if (live.size() < 60 || random() % 2 == 0) {
      const std::size_t bytes = sizes[random() % 5];
      live.emplace_back(allocator.allocate(bytes), bytes);
      std::memset(live.back().first.get(), static_cast<int>(bytes % 251), std::min<std::size_t>(bytes, 5000));
    }
    if (live.size() > 60) {
      std::swap(live[random() % live.size()], live.back());
      const auto& [data, bytes] = live.back();
      const auto* first = static_cast<const unsigned char*>(data.get());
      ASSERT_EQ(first[0], bytes % 251);
      ASSERT_EQ(first[std::min<std::size_t>(bytes, 5000) - 1], bytes % 251);
      live.pop_back();
    }
  }
  live.clear();
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().reserved, 0);
}

TEST(CachingAllocator, aligns_to_cache_lines_and_owns_all_bytes) {
  CachingAllocator allocator;
  for (const std::size_t bytes : {1UL, 63UL, 64UL, 4097UL, (2UL << 20U) - 64, 2UL << 20U, (7UL << 20U) + 1}) {
    const c10::DataPtr data = allocator.allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data.get()) % 64, 0U) << bytes;
    std::memset(data.get(), 0xff, bytes);
  }
}

TEST(CachingAllocator, counts_bytes_and_peaks) {
  CachingAllocator allocator;
  {
    const c10::DataPtr a = allocator.allocate(1000);
    const c10::DataPtr b = allocator.allocate(3000);
    EXPECT_EQ(allocator.statistics().in_use, 4000);
  }
  EXPECT_EQ(allocator.statistics().in_use, 0);
  EXPECT_EQ(allocator.statistics().peak_in_use, 4000);
  EXPECT_GE(allocator.statistics().reserved, 4000);
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().reserved, 0);
  allocator.reset_peaks();
  EXPECT_EQ(allocator.statistics().peak_in_use, 0);
}

TEST(CachingAllocator, gives_nothing_for_nothing) {
  CachingAllocator allocator;
  EXPECT_EQ(allocator.allocate(0).get(), nullptr);
}

TEST(CachingAllocator, serves_many_threads) {
  CachingAllocator allocator;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&allocator, t] {
      for (std::size_t i = 1; i < 2000; ++i) {
        const c10::DataPtr data = allocator.allocate(i * 7);
        std::memset(data.get(), t, i * 7);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(allocator.statistics().in_use, 0);
}

TEST(CachingAllocator, says_how_much_was_asked_when_there_is_no_more) {
  CachingAllocator allocator;
  try {
    allocator.allocate(std::size_t{1} << 60U);
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos);
  }
}

}  // namespace
}  // namespace primus::kernels::cpu
