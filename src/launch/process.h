#pragma once

#include <sys/types.h>

#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"

namespace primus::launch {

/// What to start, and with which changes to this process's environment.
struct Command {
  /// Program (a path, or a name that is looked up in PATH) and its arguments.
  std::vector<std::string> words;
  std::map<std::string, std::string> environment;
  /// A descriptor that only this child inherits, besides those that all do; -1: none.
  int inherited_descriptor = -1;
  /// The CPUs that it may run on; empty: all that this process may use.
  std::vector<int> cpus;
};

/// A started child with its outputs. It leads a process group of its own, reads nothing, and is killed by the
/// kernel when this process dies, however that happens.
struct Child {
  pid_t pid = -1;
  FileDescriptor out;
  FileDescriptor err;
};

/// Starts a child. `signals` is the signal mask it begins with. Throws SystemError when no process can be
/// made; a program that cannot be executed ends with status 127 and a line on its error output.
Child start(const Command& command, const sigset_t& signals);

/// A command that has run to its end.
struct Finished {
  /// Of waitpid.
  int status = 0;
  /// Everything it wrote to its standard output.
  std::string output;
};

/// Runs a command and waits for it; its error output goes where this process's goes.
Finished run_to_end(const Command& command);

/// How a process ended, from waitpid's status: "exited with code 3" or "was killed by signal 9 (Killed)".
std::string describe_end(int status);

/// The exit code that passes an end on: the code itself, or 128 plus the signal as shells have it.
int exit_code_of(int status);

/// The words as one line that a shell reads back as the same words.
std::string shell_line(const std::vector<std::string>& words);

/// The path of the program that runs.
std::string this_program();

}  // namespace primus::launch
