#pragma once

#include <CLI/App.hpp>

namespace primus::cli {

/// Subcommands of `primus-cli data` that live in files of their own.
void add_data_inspect(CLI::App& parent);
void add_data_bigram(CLI::App& parent);

}  // namespace primus::cli
