#pragma once

#include "parallel/communicator.h"
#include "parallel/rank_order.h"

namespace primus::config {
class Arguments;
}

namespace primus::parallel {

/// How the arguments divide `world` ranks. Throws UserError when they cannot (see `check`).
LayoutSizes layout_sizes_from(const config::Arguments& arguments, int world);

/// How the ranks of a run meet. `fingerprint`: a checksum of what must be the same on all of them.
JoinOptions join_options_from(const config::Arguments& arguments, const std::string& fingerprint);

}  // namespace primus::parallel
