#include "cli/program.h"

#include <c10/util/Exception.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "cli/commands.h"
#include "config/suggest.h"
#include "core/error.h"
#include "core/signals.h"

namespace primus::cli {

namespace {

int report(const Failure& failure) {
  std::fputs(fmt::format("primus: error: {}\n", failure.message).c_str(), stderr);
  return failure.code;
}

/// Throws what is being handled; an error of the standard library's file functions in the words of our own.
[[noreturn]] void rethrow_in_our_words() {
  try {
    throw;
  } catch (const std::filesystem::filesystem_error& error) {
    throw_file_error("cannot access " + error.path1().string(), error.code().value());
  }
}

/// A standard descriptor that is closed would be given to the next file that is opened, and receive what is
/// printed. Used, these fail instead.
void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    const int unusable = ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (unusable >= 0 && unusable != descriptor) {
      ::dup2(unusable, descriptor);
      ::close(unusable);
    }
  }
}

/// Throws when something that was printed did not arrive, e.g. on a full disk. A reader that has gone wants
/// no more: that is no failure of a command that survives it.
void check_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  if (errno == EPIPE) return;
  if (errno == 0) throw Error("cannot write the output");  // The reason has gone by.
  throw SystemError("cannot write the output", errno);
}

bool is_launcher(std::string_view word) { return word == "direct" || word == "slurm" || word == "container"; }

/// As in the original, --debug, --dry-run and --config FILE may stand in front of direct, slurm and
/// container: they are moved behind that word. In front of any other command --debug makes this process
/// talkative.
std::vector<std::string> with_leading_options_moved(std::vector<std::string> words) {
  std::size_t count = 0;
  while (count < words.size() && (words[count] == "--debug" || words[count] == "--dry-run" ||
                                  words[count] == "--dry_run" || words[count] == "--config")) {
    count += words[count] == "--config" ? 2 : 1;
  }
  if (count == 0 || count >= words.size()) return words;
  const auto command = words.begin() + static_cast<std::ptrdiff_t>(count);
  if (is_launcher(*command)) {
    const bool scheduler =
        *command == "slurm" && command + 1 != words.end() && (command[1] == "srun" || command[1] == "sbatch");
    std::rotate(words.begin(), command, command + (scheduler ? 2 : 1));
    return words;
  }
  for (auto option = words.begin(); option != command; ++option) {
    if (*option != "--debug") {
      throw_user_error("{} before the command works with direct, slurm and container, not with {}", *option,
                       *command);
    }
  }
  ::setenv("PRIMUS_LOG_LEVEL", "DEBUG", /*overwrite=*/1);
  words.erase(words.begin(), command);
  return words;
}

/// CLI11 would only say that a command is missing.
void refuse_unknown_command(const CLI::App& app, std::string_view word) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(command->get_name());
  }
  if (word.starts_with('-') || std::find(known.begin(), known.end(), word) != known.end()) return;
  if (word == "deps")
    throw_user_error("deps: there is nothing to fetch, this program is complete as it is built");
  throw_user_error("unknown command '{}'{}; `primus-cli --help` lists them", word,
                   config::did_you_mean(word, known));
}

/// A command line, and the part of it that this program's parser must leave alone.
struct CommandLine {
  std::vector<std::string> own;
  std::vector<std::string> passed_on;
};

/// After `direct ... --` stands another command line, and slurm's and container's options are those of other
/// programs.
CommandLine split(std::vector<std::string> words) {
  CommandLine line{.own = std::move(words), .passed_on = {}};
  if (line.own.empty()) return line;
  auto cut = line.own.end();
  if (line.own[0] == "direct") cut = std::find(line.own.begin(), line.own.end(), "--");
  const bool asks_for_help = line.own.size() > 1 && (line.own[1] == "--help" || line.own[1] == "-h");
  if ((line.own[0] == "slurm" || line.own[0] == "container") && !asks_for_help) cut = line.own.begin() + 1;
  line.passed_on.assign(cut, line.own.end());
  line.own.erase(cut, line.own.end());
  return line;
}

void run_command(int argc, char** argv) {
  const CommandLine line = split(with_leading_options_moved({argv + std::min(argc, 1), argv + argc}));
  CLI::App app("Primus in C++: trains large language models from one YAML file", "primus-cli");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("primus-cli {}", program_version));
  add_benchmark(app);
  add_checkpoint(app);
  add_completion(app);
  add_config(app);
  add_data(app);
  add_generate(app);
  add_tokenizer(app);
  add_train(app);
  add_direct(app, line.passed_on);
  add_parallel(app);
  add_slurm(app, line.passed_on);
  add_container(app, line.passed_on);
  if (line.own.empty()) {
    std::fputs(app.help().c_str(), stdout);
    return;
  }
  refuse_unknown_command(app, line.own[0]);
  try {
    // The parser takes the words from the last to the first.
    app.parse(std::vector<std::string>(line.own.rbegin(), line.own.rend()));
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
  }
}

}  // namespace

Failure current_failure() {
  try {
    rethrow_in_our_words();
  } catch (const CLI::ParseError& error) {
    return {error.what(), exit_bad_input};
  } catch (const UserError& error) {
    return {error.what(), exit_bad_input};
  } catch (const c10::Error& error) {
    return {error.what_without_backtrace(), exit_failed};
  } catch (const std::exception& error) {
    return {error.what(), exit_failed};
  } catch (...) {
    return {"an exception without a message", exit_failed};
  }
}

int run(int argc, char** argv) {
  occupy_standard_descriptors();
  ignore_file_size_signal();
  try {
    run_command(argc, argv);
    check_output();
    return 0;
  } catch (const ExitCode& exit) {
    return exit.code();
  } catch (...) {
    return report(current_failure());
  }
}

}  // namespace primus::cli
