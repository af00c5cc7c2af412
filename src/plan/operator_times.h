#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace primus::plan {

/// All calls of one operator. Forward and backward of a function of ours are two operators, "Linear" and
/// "Linear backward"; the others have libtorch's names.
struct OperatorTime {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0;
  /// Of all threads of the process together; unlike the time by the clock, not longer when the machine is
  /// busy with other things. Threads that wait for work count as well while they spin.
  double processor_seconds = 0;
};

/// Runs `function` and tells where its time went, largest share first. Only the outermost operators count,
/// what they call is theirs; the sum is less than the whole by what lies between operators. Sees the calling
/// thread alone, which on a CPU runs the backward as well.
std::vector<OperatorTime> time_operators(const std::function<void()>& function);

}  // namespace primus::plan
