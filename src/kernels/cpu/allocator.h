#pragma once

#include <c10/core/Allocator.h>

#include <cstdint>
#include <mutex>
#include <set>

namespace primus::kernels::cpu {

/// Memory comes from the system in at least so many bytes, but for small tensors.
constexpr std::int64_t allocator_segment_bytes = std::int64_t{32} << 20U;

struct AllocatorStatistics {
  /// Bytes asked for and not yet freed, now and at most so far.
  std::int64_t in_use = 0;
  std::int64_t peak_in_use = 0;
  /// Bytes taken from the system, now and at most so far.
  std::int64_t reserved = 0;
  std::int64_t peak_reserved = 0;
};

/// Keeps freed tensors' memory for the next tensors, in huge pages where it is large. A training step asks
/// for the same sizes again and again; glibc hands large blocks back to the system each time, which then
/// clears every page anew.
///
/// Memory comes from the system in segments, which are cut into blocks: a tensor gets the smallest free block
/// that is large enough, the rest of it stays free, and free neighbours become one block again (best fit with
/// coalescing, as in PyTorch's CUDA allocator). Small and large blocks have segments of their own, so that a
/// small tensor that lives long does not split what large ones need.
class CachingAllocator final : public c10::Allocator {
 public:
  CachingAllocator() = default;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;
  ~CachingAllocator() override;

  c10::DataPtr allocate(std::size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t bytes) const override;

  /// Gives segments of which nothing is in use back to the system.
  void release_cached();
  AllocatorStatistics statistics() const;
  /// Lets peak figures start anew from what is in use now.
  void reset_peaks();

 private:
  struct Block;
  /// By size, then by address.
  struct Smaller {
    using is_transparent = void;
    bool operator()(const Block* a, const Block* b) const;
    bool operator()(const Block* a, std::size_t bytes) const;
  };
  using FreeBlocks = std::set<Block*, Smaller>;

  /// A block of at least so many bytes that is in use from now on; null when the system has no more.
  Block* take(std::size_t block_bytes);
  Block* new_segment(std::size_t block_bytes, FreeBlocks& pool);
  void give_back(Block* block);
  static void free(void* data);

  mutable std::mutex mutex_;
  FreeBlocks small_;
  FreeBlocks large_;
  AllocatorStatistics statistics_;
};

/// Makes a CachingAllocator the CPU allocator of libtorch, for the life of the process, and returns it;
/// further calls return the same. To be called before the first tensor is made.
CachingAllocator& install_caching_allocator();

/// Gives what the installed allocator keeps but nobody uses back to the system; nothing when none is
/// installed. For the end of a phase whose tensors were of other sizes than those to come.
void release_cached_memory();

}  // namespace primus::kernels::cpu
