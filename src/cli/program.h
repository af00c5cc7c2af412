#pragma once

namespace primus::cli {

inline constexpr const char* program_version = "0.1.0";

/// Runs the command named on the command line. Returns the exit code: 0 done, 1 failed while running, 2 bad
/// input. No exception leaves this function; a failure is one message on stderr.
int run(int argc, char** argv);

}  // namespace primus::cli
