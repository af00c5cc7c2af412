#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace primus::config {

/// Megatron's `split`, one to three numbers (train, valid, test) separated by commas or blanks, as in
/// "969, 30, 1"; those that are left out are 0. Throws UserError for anything else, a negative or infinite
/// number, and a sum that shares nothing out. (Megatron searches the text for digits, so that -1 is 1 there.)
std::array<double, 3> parse_split(std::string_view text);

/// A blend as users write it: path prefixes of datasets, and weights or none.
struct Blend {
  std::vector<std::string> paths;
  std::optional<std::vector<double>> weights;
};

/// Reads `data_path`: a list of path prefixes, or weight and path in turn ("0.3 a 0.7 b"). Throws UserError
/// when some paths have a weight and others none, a number stands where a path should, or a weight is not
/// positive.
Blend parse_blend(const std::vector<std::string>& items);

/// How a text and a list of paths differ, for messages about paths.
inline constexpr std::string_view rule_of_blanks =
    "a string is split at spaces; each item of a list, as in [\"/a path/with spaces\", /b], is one path or "
    "weight";

/// The parts of a text between white space.
std::vector<std::string> split_at_blanks(std::string_view text);

}  // namespace primus::config
