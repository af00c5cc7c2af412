// The modes that start the program somewhere else: slurm and container.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "core/error.h"
#include "core/signals.h"
#include "launch/compose.h"
#include "launch/process.h"

namespace primus::cli {

namespace {

/// The folder of the launcher script `primus-cli`, three levels above build/<preset>/primus-cli, or the
/// program's own.
std::filesystem::path project_root() {
  const std::filesystem::path program = launch::this_program();
  const auto root = program.parent_path().parent_path().parent_path();
  return std::filesystem::exists(root / "primus-cli") ? root : program.parent_path();
}

/// Prints the command, or becomes it.
void run_composed(const launch::Composed& composed) {
  if (composed.dry_run) {
    std::fputs((launch::shell_line(composed.words) + "\n").c_str(), stdout);
    return;
  }
  std::vector<std::string> words = composed.words;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  std::fflush(nullptr);
  restore_write_signals();
  ::execvp(pointers[0], pointers.data());
  throw SystemError(fmt::format("cannot run {}", words.front()), errno);
}

/// Their options belong to other programs, so the words are taken as they are.
CLI::App* add_mode(CLI::App& program, const char* name, const char* help, const char* usage) {
  CLI::App* command = program.add_subcommand(name, help);
  command->prefix_command();
  command->footer(usage);
  command->set_help_flag("-h,--help", "Show this help");
  return command;
}

}  // namespace

void add_slurm(CLI::App& program, const std::vector<std::string>& words) {
  CLI::App* command =
      add_mode(program, "slurm", "Start the ranks of a Slurm job's nodes",
               "primus-cli slurm [srun|sbatch] [--config FILE] [--debug] [--dry-run] [Slurm's options] -- "
               "[direct|container] [its options] -- COMMAND");
  command->callback(
      [words] { run_composed(launch::compose_slurm(words, process_environment(), launch::this_program())); });
}

void add_container(CLI::App& program, const std::vector<std::string>& words) {
  CLI::App* command = add_mode(
      program, "container", "Start the ranks inside a docker or podman container",
      "primus-cli container [--config FILE] [--debug] [--dry-run] [options of docker run] -- COMMAND");
  command->callback([words] {
    run_composed(
        launch::compose_container(words, process_environment(), launch::variable_names(), project_root()));
  });
}

}  // namespace primus::cli
