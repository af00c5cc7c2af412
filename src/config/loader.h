#pragma once

#include <filesystem>

#include "config/environment.h"
#include "config/value.h"

namespace primus::config {

/// Reads one configuration file with everything it inherits from, environment references replaced.
///
/// Files name others relative to their own folder, in one text or a list of texts:
///   extends   deep merge, a later file wins over an earlier one, this file wins over all
///   bases     (older files) this file's keys are kept, missing ones are filled in; the first base wins
///   includes  (older files) the same, behind `bases`
/// Throws UserError, with file and line, for what cannot be read, an empty file, and files that inherit from
/// each other in a circle.
Value load_file(const std::filesystem::path& path, Layer layer, const Environment& environment);

}  // namespace primus::config
