#include "config/blend.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "config/scalar.h"
#include "core/error.h"

namespace primus::config {

namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> split_parts(std::string_view text) {
  if (text.find(',') == std::string_view::npos) return split_at_blanks(text);
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    parts.emplace_back(trimmed(text.substr(begin, comma - begin)));
    begin = comma + 1;
  }
  return parts;
}

}  // namespace

std::vector<std::string> split_at_blanks(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t at = text.find_first_not_of(blanks); at < text.size();
       at = text.find_first_not_of(blanks, at)) {
    const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

std::array<double, 3> parse_split(std::string_view text) {
  std::array<double, 3> shares = {};
  const std::vector<std::string> parts = split_parts(text);
  if (parts.empty() || parts.size() > shares.size())
    throw_user_error("\"{}\": expected one to three numbers (train, valid, test), such as 95,5,0", text);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_double(parts[i]);
    if (!number || !std::isfinite(*number) || *number < 0)
      throw_user_error("\"{}\": \"{}\" must be a number, 0 or more", text, parts[i]);
    shares[i] = *number;
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (sum <= 0 || !std::isfinite(sum)) throw_user_error("\"{}\": gives no samples to any split", text);
  return shares;
}

Blend parse_blend(const std::vector<std::string>& items) {
  const auto refuse = [&](std::string_view what) {
    throw_user_error("\"{}\": {}", fmt::join(items, " "), what);
  };
  const auto refuse_order = [&](const std::string& item, std::string_view wanted) {
    refuse(fmt::format("found {} where a {} is expected; give a weight before every path or before none ({})",
                       item, wanted, rule_of_blanks));
  };
  Blend blend;
  std::vector<double> weights;
  const bool pairs = items.size() % 2 == 0 && !items.empty() && parse_double(items[0]);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto number = parse_double(items[i]);
    if (!pairs || i % 2 == 1) {
      if (number && items.size() > 1) refuse_order(items[i], "path");
      blend.paths.emplace_back(trimmed(items[i]));
    } else if (!number) {
      refuse_order(items[i], "weight");
    } else if (!(*number > 0) || !std::isfinite(*number)) {
      refuse(fmt::format("the weight of {} must be positive, not {}", items[i + 1], items[i]));
    } else {
      weights.push_back(*number);
    }
  }
  if (pairs) blend.weights = std::move(weights);
  return blend;
}

}  // namespace primus::config
