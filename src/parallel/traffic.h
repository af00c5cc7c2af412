#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace primus::parallel {

enum class Collective {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  send,
  receive,
  barrier
};

inline constexpr std::array all_collectives = {
    Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter, Collective::all_to_all,
    Collective::broadcast,  Collective::send,       Collective::receive,        Collective::barrier};

/// "all_reduce", "all_gather", ...
std::string_view to_string(Collective collective);

/// What one kind of collective moved on this rank.
struct TrafficTotals {
  std::int64_t calls = 0;
  /// Size of the whole tensor of each call: of an all-reduce its tensor, of an all-gather the gathered one,
  /// of a reduce-scatter the one before scattering, of the others what this rank hands in or receives.
  std::int64_t bytes = 0;
  /// From start to completion on this rank, waiting for the others included; overlapped time counts too, with
  /// the interval in which the collective ends.
  double seconds = 0;
};

/// The totals of each kind, in the order of `all_collectives`.
using TrafficAccount = std::array<TrafficTotals, all_collectives.size()>;

/// Account of this rank's communication. Safe to use from several threads.
class Traffic {
 public:
  /// A collective that this rank asks for, at the time of asking: what an iteration asked for does not depend
  /// on how fast the network was.
  void asked(Collective collective, std::int64_t bytes);
  void took(Collective collective, double seconds);
  /// Totals since the last call, which start again at zero.
  TrafficAccount take();

 private:
  std::mutex mutex_;
  TrafficAccount totals_;
};

}  // namespace primus::parallel
