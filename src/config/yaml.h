#pragma once

#include <string>
#include <string_view>

#include "config/value.h"

namespace primus::config {

/// Reads one YAML 1.1 document as PyYAML's safe loader does: its scalar types, anchors, aliases and `<<`.
/// Every value remembers its line in `file_name` and `layer`.
/// Throws UserError, with file and line, for bad syntax, a duplicate key (naming both lines), a key that is
/// not text, an unknown tag, or a second document. An empty text gives null.
Value parse_yaml(std::string_view text, const std::string& file_name, Layer layer = Layer::experiment);

}  // namespace primus::config
