#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace primus::checkpoint {

/// A box of a logical tensor, or the elements [flat_begin, flat_end) of it in row-major order.
struct Region {
  std::span<const std::int64_t> offset;
  std::span<const std::int64_t> extent;
  std::int64_t flat_begin = 0;
  std::int64_t flat_end = 0;
};

/// Calls visit(element in a, element in b, count) for every run of elements that both regions hold and that
/// is contiguous in both; elements are counted from each region's flat_begin.
void for_each_common_run(const Region& a, const Region& b,
                         const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& visit);

}  // namespace primus::checkpoint
