#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/arguments.h"

namespace primus::config {

/// "integer", "number or null", "list of texts", "one of adam, sgd", ...
std::string type_text(const Argument& argument);

/// "implemented", "no effect: why", "unsupported: why".
std::string status_text(const Argument& argument);

/// All that is known about an argument: doc, type, default, status; with `arguments` also its value and who
/// set it, strongest first, each with file and line. Throws UserError, with the nearest names, for an unknown
/// name.
std::string explain(std::string_view name, const Arguments* arguments = nullptr);

/// A line for each argument, all of them or those of one section. Throws UserError for an unknown section.
std::string list_arguments(const std::optional<std::string>& section);

/// docs/parameters.md.
std::string parameters_markdown();

/// What differs between two runs: a line for each argument that has another value. Empty when nothing does.
std::string difference(const Arguments& first, const Arguments& second);

}  // namespace primus::config
