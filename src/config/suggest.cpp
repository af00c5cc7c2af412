#include "config/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace primus::config {

namespace {

/// Optimal string alignment distance: insertions, deletions, replacements, and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Of the last two prefixes of `a` and of this one, to every prefix of `b`.
  std::vector<std::size_t> before, previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before[j - 2] + 1);
    }
    before = std::exchange(previous, current);
  }
  return previous[b.size()];
}

std::string normalized(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c == '-') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> sorted_words(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    if (c == '_') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  std::sort(words.begin(), words.end());
  return words;
}

/// How far two names are apart, from 0 (the same) on, or something above `farthest`; names with the same
/// words, or one inside of the other, are near.
double distance(const std::string& name, const std::string& known, double farthest) {
  const auto [shorter, longer] = std::minmax({name.size(), known.size()});
  const bool inside =
      shorter >= 4 && (known.find(name) != std::string::npos || name.find(known) != std::string::npos);
  const auto fewest = static_cast<double>(longer - shorter);
  if (fewest > farthest && !inside) return fewest;
  const auto edits = static_cast<double>(edit_distance(name, known));
  if (sorted_words(name) == sorted_words(known)) return std::min(edits, 1.5);
  return inside ? std::min(edits, 4.0) : edits;
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known,
                                       std::size_t limit) {
  const std::string wanted = normalized(name);
  const double farthest = std::max(2.0, static_cast<double>(wanted.size()) / 3.0);
  std::vector<std::pair<double, std::string>> near;
  for (const std::string& candidate : known) {
    const double apart = distance(wanted, normalized(candidate), farthest);
    if (apart <= farthest) near.emplace_back(apart, candidate);
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(limit, near.size()); ++i) names.push_back(near[i].second);
  return names;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const auto names = nearest_names(name, known);
  if (names.empty()) return "";
  return fmt::format("; did you mean '{}'?", fmt::join(names, "' or '"));
}

}  // namespace primus::config
