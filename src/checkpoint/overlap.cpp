#include "checkpoint/overlap.h"

#include <algorithm>

namespace primus::checkpoint {

namespace {

/// The box that two boxes have in common; empty in a dimension where `extent` is not positive.
struct Intersection {
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> extent;
};

Intersection intersect(const Region& a, const Region& b) {
  Intersection common;
  for (std::size_t d = 0; d < a.offset.size(); ++d) {
    const std::int64_t begin = std::max(a.offset[d], b.offset[d]);
    const std::int64_t end = std::min(a.offset[d] + a.extent[d], b.offset[d] + b.extent[d]);
    common.offset.push_back(begin);
    common.extent.push_back(end - begin);
  }
  return common;
}

/// The row-major number, within a region's box, of the element at `position` of the logical tensor.
std::int64_t flat_index(const Region& region, const std::vector<std::int64_t>& position) {
  std::int64_t index = 0;
  for (std::size_t d = 0; d < position.size(); ++d)
    index = index * region.extent[d] + position[d] - region.offset[d];
  return index;
}

/// How many of the last dimensions a run may span: all those after the last one in which the common box is
/// narrower than one of the two, and that one itself.
std::size_t first_run_dimension(const Intersection& common, const Region& a, const Region& b) {
  std::size_t first = common.extent.size();
  while (first > 0) {
    --first;
    if (common.extent[first] != a.extent[first] || common.extent[first] != b.extent[first]) break;
  }
  return first;
}

}  // namespace

void for_each_common_run(const Region& a, const Region& b,
                         const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& visit) {
  const Intersection common = intersect(a, b);
  if (std::any_of(common.extent.begin(), common.extent.end(), [](std::int64_t n) { return n <= 0; })) return;
  const std::size_t run_dimension = first_run_dimension(common, a, b);
  std::int64_t run = 1, runs = 1;
  for (std::size_t d = 0; d < common.extent.size(); ++d) (d < run_dimension ? runs : run) *= common.extent[d];

  std::vector<std::int64_t> position = common.offset;
  for (std::int64_t i = 0; i < runs; ++i) {
    const std::int64_t in_a = flat_index(a, position), in_b = flat_index(b, position);
    // Cut the run to both ranges.
    const std::int64_t skip = std::max<std::int64_t>({0, a.flat_begin - in_a, b.flat_begin - in_b});
    const std::int64_t end = std::min({run, a.flat_end - in_a, b.flat_end - in_b});
    if (skip < end) visit(in_a + skip - a.flat_begin, in_b + skip - b.flat_begin, end - skip);
    for (std::size_t d = run_dimension; d-- > 0;) {
      if (++position[d] < common.offset[d] + common.extent[d]) break;
      position[d] = common.offset[d];
    }
  }
}

}  // namespace primus::checkpoint
