#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/gpt_dataset.h"

namespace primus::data {

/// Which part of the data a split gets, as fractions; nothing for a split of zero width.
struct Fraction {
  double begin = 0;
  double end = 0;
  bool operator==(const Fraction&) const = default;
};
using SplitFractions = std::array<std::optional<Fraction>, 3>;

/// The shares of `config::parse_split`, brought to a sum of one. Throws what that throws.
SplitFractions split_fractions(std::string_view text);

/// The sequences of a part of `count`: both ends rounded, halves to even, as Python does.
SequenceRange range_of(const Fraction& fraction, std::int64_t count);

/// Values divided by their sum, added up in the order in which numpy adds.
std::vector<double> normalized(const std::vector<double>& values);

}  // namespace primus::data
