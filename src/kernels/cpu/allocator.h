#pragma once

#include <c10/core/Allocator.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace primus::kernels::cpu {

struct AllocatorStatistics {
  /// Bytes asked for and not yet freed, now and at most so far.
  std::int64_t in_use = 0;
  std::int64_t peak_in_use = 0;
  /// Bytes taken from the system, now and at most so far.
  std::int64_t reserved = 0;
  std::int64_t peak_reserved = 0;
};

/// Keeps freed tensors' memory for the next tensor of that size, in huge pages where they are large. A
/// training step asks for the same sizes again and again; glibc hands large blocks back to the system each
/// time, which then clears every page anew.
class CachingAllocator final : public c10::Allocator {
 public:
  CachingAllocator() = default;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;
  ~CachingAllocator() override;

  c10::DataPtr allocate(std::size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t bytes) const override;

  /// Gives what is kept but not in use back to the system.
  void release_cached();
  AllocatorStatistics statistics() const;
  /// Lets peak figures start anew from what is in use now.
  void reset_peaks();

 private:
  struct Header;
  /// A block of at least `bytes`, which becomes its size; null when the system has no more.
  void* take(std::size_t& bytes);
  void give_back(Header* header);
  static void free(void* data);

  mutable std::mutex mutex_;
  /// Free blocks by their size. One that is a little too large serves as well.
  std::map<std::size_t, std::vector<void*>> free_;
  AllocatorStatistics statistics_;
};

/// Makes a CachingAllocator the CPU allocator of libtorch, for the life of the process, and returns it;
/// further calls return the same. To be called before the first tensor is made.
CachingAllocator& install_caching_allocator();

/// Gives what the installed allocator keeps but nobody uses back to the system; nothing when none is
/// installed. For the end of a phase whose tensors were of other sizes than those to come.
void release_cached_memory();

}  // namespace primus::kernels::cpu
