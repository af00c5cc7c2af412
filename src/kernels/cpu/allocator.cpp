#include "kernels/cpu/allocator.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace primus::kernels::cpu {

/// Stands in front of every block, so that the deleter, a plain function, finds the way back.
struct alignas(64) CachingAllocator::Header {
  CachingAllocator* owner;
  /// Of the whole block, header included.
  std::size_t block_bytes;
  std::size_t requested_bytes;
};

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;

/// Sizes that blocks come in: below a huge page an eighth of a power of two apart, then whole huge pages.
std::size_t block_size(std::size_t bytes) {
  const std::size_t step =
      bytes < huge_page ? std::max<std::size_t>(64, std::bit_floor(bytes) / 8) : huge_page;
  return (bytes + step - 1) / step * step;
}

/// The largest block that is given to a tensor that needs one of `bytes`.
std::size_t largest_fit(std::size_t bytes) { return bytes + bytes / 8; }

/// Null when the system has no more.
void* map_block(std::size_t bytes) {
  void* block = std::aligned_alloc(bytes < huge_page ? 64 : huge_page, bytes);
  if (block != nullptr && bytes >= huge_page) {
    madvise(block, bytes, MADV_HUGEPAGE);
  }
  return block;
}

}  // namespace

CachingAllocator::~CachingAllocator() { release_cached(); }

void* CachingAllocator::take(std::size_t& bytes) {
  const std::scoped_lock lock(mutex_);
  const std::size_t limit = largest_fit(bytes);
  for (auto fit = free_.lower_bound(bytes); fit != free_.end() && fit->first <= limit; ++fit) {
    if (fit->second.empty()) continue;
    void* block = fit->second.back();
    fit->second.pop_back();
    bytes = fit->first;
    return block;
  }
  void* block = map_block(bytes);
  if (block != nullptr) {
    statistics_.reserved += static_cast<std::int64_t>(bytes);
    statistics_.peak_reserved = std::max(statistics_.peak_reserved, statistics_.reserved);
  }
  return block;
}

c10::DataPtr CachingAllocator::allocate(std::size_t bytes) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) {
    return {nullptr, nullptr, &CachingAllocator::free, cpu};
  }
  std::size_t block_bytes = block_size(bytes + sizeof(Header));
  void* block = take(block_bytes);
  if (block == nullptr) {
    release_cached();
    block = take(block_bytes);
  }
  if (block == nullptr) {
    throw Error(fmt::format("out of memory: {} MB more are needed beside the {} MB in use",
                            block_bytes >> 20U, statistics().in_use >> 20U));
  }
  auto* header = new (block) Header{this, block_bytes, bytes};
  {
    const std::scoped_lock lock(mutex_);
    statistics_.in_use += static_cast<std::int64_t>(bytes);
    statistics_.peak_in_use = std::max(statistics_.peak_in_use, statistics_.in_use);
  }
  return {header + 1, header + 1, &CachingAllocator::free, cpu};
}

void CachingAllocator::give_back(Header* header) {
  const std::scoped_lock lock(mutex_);
  statistics_.in_use -= static_cast<std::int64_t>(header->requested_bytes);
  free_[header->block_bytes].push_back(header);
}

void CachingAllocator::free(void* data) {
  if (data != nullptr) {
    auto* header = static_cast<Header*>(data) - 1;
    header->owner->give_back(header);
  }
}

c10::DeleterFnPtr CachingAllocator::raw_deleter() const { return &CachingAllocator::free; }

void CachingAllocator::copy_data(void* to, const void* from, std::size_t bytes) const {
  std::memcpy(to, from, bytes);
}

void CachingAllocator::release_cached() {
  const std::scoped_lock lock(mutex_);
  for (auto& [bytes, blocks] : free_) {
    for (void* block : blocks) {
      std::free(block);
      statistics_.reserved -= static_cast<std::int64_t>(bytes);
    }
    blocks.clear();
  }
}

AllocatorStatistics CachingAllocator::statistics() const {
  const std::scoped_lock lock(mutex_);
  return statistics_;
}

void CachingAllocator::reset_peaks() {
  const std::scoped_lock lock(mutex_);
  statistics_.peak_in_use = statistics_.in_use;
  statistics_.peak_reserved = statistics_.reserved;
}

void release_cached_memory() {
  if (auto* const installed = dynamic_cast<CachingAllocator*>(c10::GetCPUAllocator())) {
    installed->release_cached();
  }
}

CachingAllocator& install_caching_allocator() {
  // Never destroyed: tensors may outlive every static object.
  static auto* const allocator = [] {
    auto* const made = new CachingAllocator;
    c10::SetCPUAllocator(made, /*priority=*/100);
    return made;
  }();
  return *allocator;
}

}  // namespace primus::kernels::cpu
