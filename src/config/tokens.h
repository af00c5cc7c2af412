#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace primus::config {

/// Overrides from a command line, and what was said on the way.
struct Overrides {
  Value values;  ///< a map; dotted keys are nested maps
  std::vector<std::string> warnings;
};

/// Reads `key=value`, `--key=value`, `--key value` and `--flag` (which means true). Keys are split at `.`, a
/// later token wins; `modules.<module>.key` and `modules.<module>.overrides.key` are the key alone. A token
/// of another form is left out with a warning. Throws UserError when a key is used both as a value and as a
/// map (`a=1 a.b=2`), and for a key of another module.
Overrides parse_tokens(const std::vector<std::string>& tokens, std::string_view module);

/// The type of a value typed on the command line: true/false; None or a Python list, tuple or map; a float
/// with a dot; an integer; otherwise text. (`1e-5` is text here, and a number once its argument wants one.)
Value resolve_token(std::string_view text);

}  // namespace primus::config
