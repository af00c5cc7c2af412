#include "config/range.h"

#include <fmt/format.h>

namespace primus::config {

namespace {

/// Integers without a decimal point or an exponent.
std::string shown_bound(double bound) {
  const auto integer = static_cast<std::int64_t>(bound);
  return static_cast<double>(integer) == bound ? fmt::format("{}", integer) : fmt::format("{}", bound);
}

}  // namespace

std::string to_string(const Range& range) {
  if (range.has_low() && range.has_high() && !range.low_excluded && !range.high_excluded)
    return fmt::format("between {} and {}", shown_bound(range.low), shown_bound(range.high));
  std::string text;
  if (range.has_low())
    text = fmt::format("{} {}", range.low_excluded ? "greater than" : "at least", shown_bound(range.low));
  if (range.has_high())
    text += fmt::format("{}{} {}", text.empty() ? "" : " and ", range.high_excluded ? "less than" : "at most",
                        shown_bound(range.high));
  return text;
}

}  // namespace primus::config
