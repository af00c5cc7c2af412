#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace primus::config {

/// Something in a configuration that is not right.
struct Problem {
  enum class Kind { unknown_key, misplaced_key, wrong_type, bad_choice, missing, unsupported, rule };
  Kind kind;
  Where where;
  std::string message;
};

/// "file:line: message".
std::string to_string(const Problem& problem);

/// Throws one UserError that lists all problems, one a line. Does nothing when there are none.
void throw_if_any(const std::vector<Problem>& problems);

}  // namespace primus::config
