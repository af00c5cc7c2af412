#include "data/split.h"

#include <charconv>
#include <cmath>
#include <span>
#include <string>

#include "core/error.h"

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

std::vector<double> parse_numbers(std::string_view text) {
  constexpr std::string_view digits = ".0123456789";
  std::vector<double> numbers;
  for (std::size_t at = 0; (at = text.find_first_of(digits, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_not_of(digits, at), text.size());
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + end, number);
    if (error != std::errc() || rest != text.data() + end)
      throw_user_error("split: \"{}\" is not a number", text.substr(at, end - at));
    numbers.push_back(number);
    at = end;
  }
  return numbers;
}

}  // namespace

std::vector<double> normalized(const std::vector<double>& values) {
  const double sum = numpy_sum(values);
  std::vector<double> result;
  for (const double value : values) result.push_back(value / sum);
  return result;
}

SplitFractions parse_split(std::string_view text) {
  std::vector<double> numbers = parse_numbers(text);
  if (numbers.empty() || numbers.size() > 3)
    throw_user_error("split must be one to three numbers (train, valid, test) such as \"95,5,0\", not \"{}\"",
                     text);
  numbers.resize(3);
  if (numbers[0] + numbers[1] + numbers[2] <= 0)
    throw_user_error("split \"{}\" gives nothing to any part", text);
  const std::vector<double> widths = normalized(numbers);
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
