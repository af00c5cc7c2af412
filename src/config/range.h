#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace primus::config {

/// More ranks than any machine has: what is computed from numbers of ranks stays in 64 bits.
inline constexpr std::int64_t most_ranks = 1'000'000;
/// Integers go from minus this to this, for the same reason.
inline constexpr std::int64_t largest_integer = 1'000'000'000'000;

/// The numbers that an argument may be, or that its list may hold.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_excluded = false;
  bool high_excluded = false;

  constexpr bool has_low() const { return low > -std::numeric_limits<double>::infinity(); }
  constexpr bool has_high() const { return high < std::numeric_limits<double>::infinity(); }
  constexpr bool contains(double number) const {
    return (low_excluded ? number > low : number >= low) && (high_excluded ? number < high : number <= high);
  }
};

/// The range in words that follow "must be": "greater than 0", "at least 0 and less than 1"; empty when every
/// number lies in it.
std::string to_string(const Range& range);

}  // namespace primus::config
