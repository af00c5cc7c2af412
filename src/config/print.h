#pragma once

#include <string>
#include <string_view>

#include "config/value.h"

namespace primus::config {

enum class JsonStyle {
  one_line,   ///< keys in their own order
  canonical,  ///< sorted keys, ASCII, indented by one blank: byte for byte Python's json.dumps(sort_keys,
              ///< indent=1)
};

/// The value as JSON. Numbers keep their type (1 and 1.0). What JSON cannot say is written as in the golden
/// files: {"__float__": "inf"}, {"__date__": "2025-01-02"}; integers may have any size.
std::string to_json(const Value& value, JsonStyle style);

/// A double as Python's repr writes it: shortest digits that read back the same, always with `.` or exponent.
std::string python_number(double number);

/// The value as a YAML document in block style, which `parse_yaml` reads back to the same content.
std::string to_yaml(const Value& value);

/// Whether a text can stand in YAML without quotes and is still text.
std::string yaml_scalar(std::string_view text);

}  // namespace primus::config
