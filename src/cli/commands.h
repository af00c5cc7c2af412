#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <exception>
#include <string>
#include <vector>

namespace primus::cli {

/// Thrown by a command that has said everything and ends the program with a code of its own.
class ExitCode : public std::exception {
 public:
  explicit ExitCode(int code) : code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_input = 2;

/// What a failure tells the user, and the exit code that it ends the program with.
struct Failure {
  std::string message;
  int code;
};

/// Of the exception that is being handled, whatever threw it.
Failure current_failure();

/// Each adds one subcommand, with its options and the callback that runs it, and lives in a file of its name.
void add_benchmark(CLI::App& program);
void add_checkpoint(CLI::App& program);
void add_completion(CLI::App& program);
void add_config(CLI::App& program);
void add_data(CLI::App& program);
void add_generate(CLI::App& program);
void add_tokenizer(CLI::App& program);
void add_train(CLI::App& program);
void add_parallel(CLI::App& program);

/// These start this or another program with words of its own: those of direct from the first "--" on, those
/// of the others from the subcommand's name on.
void add_direct(CLI::App& program, const std::vector<std::string>& words);
void add_slurm(CLI::App& program, const std::vector<std::string>& words);
void add_container(CLI::App& program, const std::vector<std::string>& words);

/// One line on stderr for each.
void print_warnings(const std::vector<std::string>& warnings);

/// Adds import-hf and export-hf to `checkpoint`.
void add_huggingface_conversions(CLI::App& checkpoint);

}  // namespace primus::cli
