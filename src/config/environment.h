#pragma once

#include <string>

#include "config/value.h"
#include "core/environment.h"

namespace primus::config {

/// Replaces `${NAME}` and `${NAME:default}` in every text below `value` (keys are left alone), and gives a
/// text that changed the type it looks like (`resolve_substituted`). The default is taken only when the
/// variable is unset, and ends at the first `}`; there is no nesting and no second pass. Throws UserError,
/// with file and line, for a variable without default that is not set.
void substitute_environment(Value& value, const Environment& environment);

/// Replaces `$NAME` and `${NAME}` in one text as a shell would; a variable that is unset stays as it is
/// written.
std::string expand_variables(const std::string& text, const Environment& environment);

}  // namespace primus::config
