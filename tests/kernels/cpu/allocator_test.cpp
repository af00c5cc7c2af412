#include "kernels/cpu/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

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

TEST(CachingAllocator, gives_a_block_to_a_slightly_smaller_tensor_but_not_to_a_much_smaller_one) {
  CachingAllocator allocator;
  void* freed = allocator.allocate(40 << 20).get();
  {
    const c10::DataPtr much_smaller = allocator.allocate(20 << 20);
    EXPECT_NE(much_smaller.get(), freed);
  }
  const c10::DataPtr smaller = allocator.allocate(38 << 20);
  EXPECT_EQ(smaller.get(), freed);
}

TEST(CachingAllocator, takes_little_more_than_asked_for_large_tensors) {
  CachingAllocator allocator;
  const std::size_t bytes = (std::size_t{129} << 20U) + 5;
  const c10::DataPtr data = allocator.allocate(bytes);
  EXPECT_LE(allocator.statistics().reserved, static_cast<std::int64_t>(bytes + (2 << 20)));
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
