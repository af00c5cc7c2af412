#include "data/split.h"

#include <cmath>
#include <span>

#include "config/blend.h"

namespace primus::data {

namespace {

/// numpy's pairwise summation: eight running sums for up to 128 values, halves beyond that.
double numpy_sum(std::span<const double> values) {
  const std::size_t count = values.size();
  if (count > 128) {
    const std::size_t half = count / 2 - count / 2 % 8;
    return numpy_sum(values.first(half)) + numpy_sum(values.subspan(half));
  }
  double total = 0;
  std::size_t i = 0;
  if (count >= 8) {
    std::array<double, 8> sums;
    for (; i < 8; ++i) sums[i] = values[i];
    for (; i + 8 <= count; i += 8) {
      for (std::size_t j = 0; j < 8; ++j) sums[j] += values[i + j];
    }
    total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  }
  for (; i < count; ++i) total += values[i];
  return total;
}

}  // namespace

std::vector<double> normalized(const std::vector<double>& values) {
  const double sum = numpy_sum(values);
  std::vector<double> result;
  for (const double value : values) result.push_back(value / sum);
  return result;
}

SplitFractions split_fractions(std::string_view text) {
  const std::array<double, 3> shares = config::parse_split(text);
  const std::vector<double> widths = normalized({shares.begin(), shares.end()});
  SplitFractions fractions;
  double begin = 0;
  for (std::size_t i = 0; i < fractions.size(); ++i) {
    const double end = begin + widths[i];
    if (end > begin) fractions[i] = Fraction{begin, end};
    begin = end;
  }
  return fractions;
}

SequenceRange range_of(const Fraction& fraction, std::int64_t count) {
  // nearbyint rounds halves to even in the default rounding mode.
  const auto at = [&](double part) {
    return static_cast<std::int64_t>(std::nearbyint(part * static_cast<double>(count)));
  };
  return {at(fraction.begin), at(fraction.end)};
}

}  // namespace primus::data
