#include "parallel/traffic.h"

#include <cstddef>
#include <utility>

namespace primus::parallel {

std::string_view to_string(Collective collective) {
  switch (collective) {
    case Collective::all_reduce: return "all_reduce";
    case Collective::all_gather: return "all_gather";
    case Collective::reduce_scatter: return "reduce_scatter";
    case Collective::all_to_all: return "all_to_all";
    case Collective::broadcast: return "broadcast";
    case Collective::send: return "send";
    case Collective::receive: return "receive";
    case Collective::barrier: return "barrier";
  }
  return "";
}

void Traffic::asked(Collective collective, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  TrafficTotals& totals = totals_[static_cast<std::size_t>(collective)];
  ++totals.calls;
  totals.bytes += bytes;
}

void Traffic::took(Collective collective, double seconds) {
  const std::lock_guard lock(mutex_);
  totals_[static_cast<std::size_t>(collective)].seconds += seconds;
}

TrafficAccount Traffic::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(totals_, {});
}

}  // namespace primus::parallel
