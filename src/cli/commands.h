#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace primus::cli {

/// Each adds one subcommand, with its options and the callback that runs it, and lives in a file of its name.
void add_benchmark(CLI::App& program);
void add_checkpoint(CLI::App& program);
void add_completion(CLI::App& program);
void add_config(CLI::App& program);
void add_data(CLI::App& program);
void add_generate(CLI::App& program);
void add_tokenizer(CLI::App& program);
void add_train(CLI::App& program);

/// Adds import-hf and export-hf to `checkpoint`.
void add_huggingface_conversions(CLI::App& checkpoint);

}  // namespace primus::cli
