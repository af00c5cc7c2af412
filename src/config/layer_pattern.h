#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace primus::config {

/// Which layers of a model are of a special kind, as `moe_layer_freq` says it.
struct LayerPattern {
  std::int64_t every = 1;  ///< layer i (from 0) is special when i mod every is 0; unused with `layers`
  std::vector<std::int64_t> layers;  ///< one 0 or 1 for each layer; empty: `every` counts

  bool contains(std::int64_t layer) const {
    return layers.empty() ? layer % every == 0 : layers.at(static_cast<std::size_t>(layer)) != 0;
  }
  /// How many of the first `number` layers are special. A list holds at least so many.
  std::int64_t count(std::int64_t number) const {
    if (layers.empty()) return (number + every - 1) / every;
    return number - std::count(layers.begin(), layers.begin() + number, 0);
  }
  bool operator==(const LayerPattern&) const = default;
};

/// Reads the list expressions of configuration files: integers, `[a, b]`, `list*n`, `list+list`, parentheses,
/// as in
/// `([0]*3+[1]*58)`. An expression that is an integer gives `every`. Nothing when the text is no such
/// expression, an integer below 1, or a list of more than 100 000 layers.
std::optional<LayerPattern> parse_layer_pattern(std::string_view text);

}  // namespace primus::config
