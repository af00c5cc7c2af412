#pragma once

#include <optional>
#include <string_view>

#include "config/value.h"

namespace primus::config {

/// A Python literal as it is typed on a command line: `[1, 2.5, 'a']`, `(1, 2)`, `{'k': None}`, `None`.
/// Tuples and sets become lists. Nothing when the text is no such literal. Throws UserError for a map whose
/// key is not text.
std::optional<Value> parse_literal(std::string_view text);

}  // namespace primus::config
