#pragma once

#include <CLI/App.hpp>

namespace primus::cli {

/// Adds `step` below `benchmark`.
void add_benchmark_step(CLI::App& parent);

}  // namespace primus::cli
