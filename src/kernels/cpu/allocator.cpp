#include "kernels/cpu/allocator.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/round_up.h"

namespace primus::kernels::cpu {

/// Stands in front of every block's memory, so that the deleter, a plain function, finds the way back.
struct alignas(64) CachingAllocator::Block {
  CachingAllocator* owner;
  /// Where the block goes when it is free.
  FreeBlocks* pool;
  /// This header included.
  std::size_t bytes;
  std::size_t requested_bytes = 0;
  bool free = false;
  /// Neighbours in the segment; null at its ends.
  Block* previous = nullptr;
  Block* next = nullptr;

  bool is_segment() const { return previous == nullptr && next == nullptr; }

  /// Cuts off what lies behind the first `kept` bytes.
  Block* cut(std::size_t kept) {
    auto* rest = new (reinterpret_cast<std::byte*>(this) + kept)
        Block{.owner = owner, .pool = pool, .bytes = bytes - kept, .previous = this, .next = next};
    if (next != nullptr) next->previous = rest;
    next = rest;
    bytes = kept;
    return rest;
  }

  void absorb_next() {
    bytes += next->bytes;
    next = next->next;
    if (next != nullptr) next->previous = this;
  }
};

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;
/// Blocks below this are small.
constexpr std::size_t large_block = huge_page / 2;

/// Less than this is left with a block rather than cut off: no tensor would ask for it.
std::size_t smallest_rest(std::size_t block_bytes) {
  return block_bytes < large_block ? 128 : large_block / 8;
}

}  // namespace

bool CachingAllocator::Smaller::operator()(const Block* a, const Block* b) const {
  return std::pair(a->bytes, a) < std::pair(b->bytes, b);
}

bool CachingAllocator::Smaller::operator()(const Block* a, std::size_t bytes) const {
  return a->bytes < bytes;
}

CachingAllocator::~CachingAllocator() { release_cached(); }

CachingAllocator::Block* CachingAllocator::new_segment(std::size_t block_bytes, FreeBlocks& pool) {
  const std::size_t bytes =
      block_bytes < large_block
          ? huge_page
          : std::max<std::size_t>(allocator_segment_bytes, round_up(block_bytes, huge_page));
  void* memory = std::aligned_alloc(huge_page, bytes);
  if (memory == nullptr) return nullptr;
  madvise(memory, bytes, MADV_HUGEPAGE);
  statistics_.reserved += static_cast<std::int64_t>(bytes);
  statistics_.peak_reserved = std::max(statistics_.peak_reserved, statistics_.reserved);
  return new (memory) Block{.owner = this, .pool = &pool, .bytes = bytes};
}

CachingAllocator::Block* CachingAllocator::take(std::size_t block_bytes) {
  const std::scoped_lock lock(mutex_);
  FreeBlocks& pool = block_bytes < large_block ? small_ : large_;
  Block* block = nullptr;
  if (const auto fit = pool.lower_bound(block_bytes); fit != pool.end()) {
    block = *fit;
    pool.erase(fit);
  } else {
    block = new_segment(block_bytes, pool);
  }
  if (block == nullptr) return nullptr;
  block->free = false;
  if (block->bytes - block_bytes >= smallest_rest(block_bytes)) {
    Block* rest = block->cut(block_bytes);
    rest->free = true;
    pool.insert(rest);
  }
  return block;
}

c10::DataPtr CachingAllocator::allocate(std::size_t bytes) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) {
    return {nullptr, nullptr, &CachingAllocator::free, cpu};
  }
  const std::size_t block_bytes = round_up(bytes + sizeof(Block), alignof(Block));
  Block* block = take(block_bytes);
  if (block == nullptr) {
    release_cached();
    block = take(block_bytes);
  }
  if (block == nullptr) {
    throw Error(fmt::format("out of memory: {} MB more are needed beside the {} MB in use",
                            block_bytes >> 20U, statistics().in_use >> 20U));
  }
  block->requested_bytes = bytes;
  {
    const std::scoped_lock lock(mutex_);
    statistics_.in_use += static_cast<std::int64_t>(bytes);
    statistics_.peak_in_use = std::max(statistics_.peak_in_use, statistics_.in_use);
  }
  return {block + 1, block + 1, &CachingAllocator::free, cpu};
}

void CachingAllocator::give_back(Block* block) {
  const std::scoped_lock lock(mutex_);
  statistics_.in_use -= static_cast<std::int64_t>(block->requested_bytes);
  const auto is_free = [](const Block* neighbour) { return neighbour != nullptr && neighbour->free; };
  if (is_free(block->next)) {
    block->pool->erase(block->next);
    block->absorb_next();
  }
  if (is_free(block->previous)) {
    block = block->previous;
    block->pool->erase(block);
    block->absorb_next();
  }
  block->free = true;
  block->pool->insert(block);
}

void CachingAllocator::free(void* data) {
  if (data != nullptr) {
    auto* block = static_cast<Block*>(data) - 1;
    block->owner->give_back(block);
  }
}

c10::DeleterFnPtr CachingAllocator::raw_deleter() const { return &CachingAllocator::free; }

void CachingAllocator::copy_data(void* to, const void* from, std::size_t bytes) const {
  std::memcpy(to, from, bytes);
}

void CachingAllocator::release_cached() {
  const std::scoped_lock lock(mutex_);
  for (FreeBlocks* pool : {&small_, &large_}) {
    for (auto block = pool->begin(); block != pool->end();) {
      if (!(*block)->is_segment()) {
        ++block;
        continue;
      }
      statistics_.reserved -= static_cast<std::int64_t>((*block)->bytes);
      std::free(*block);
      block = pool->erase(block);
    }
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
