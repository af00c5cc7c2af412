#pragma once

#include <array>
#include <csignal>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace primus {

/// Signals that ask a run to save and end: a scheduler's end of the job, Ctrl-C, a closed terminal, and the
/// end of the processor time that a batch system grants.
inline constexpr std::array stop_signals = {SIGTERM, SIGINT, SIGHUP, SIGXCPU};
/// Signals that ask a run to save and go on: warnings of a scheduler (Slurm's --signal=USR1@60).
inline constexpr std::array save_signals = {SIGUSR1, SIGUSR2};
/// Further signals that `exit_signal` may name.
inline constexpr std::array other_exit_signals = {SIGQUIT, SIGALRM, SIGPWR};

/// "SIGTERM" for SIGTERM.
std::string signal_name(int number);
/// The number of one of the signals above by its name. Throws UserError for any other.
int signal_named(const std::string& name);

/// Whether the process shall survive its terminal: nohup starts it with SIGHUP ignored.
bool ignores_hangup();

/// Installs a handler for signals and puts the former ones back at the end of its life. Under nohup SIGHUP
/// stays ignored, unless it is `wanted`.
class CaughtSignals {
 public:
  CaughtSignals(std::span<const int> numbers, int wanted, void (*handler)(int));
  ~CaughtSignals();
  CaughtSignals(const CaughtSignals&) = delete;
  CaughtSignals& operator=(const CaughtSignals&) = delete;

 private:
  std::vector<std::pair<int, struct sigaction>> previous_;
};

/// Turns `stop_signals` and `exit_signal` into a request that the training loop polls, as long as it lives. A
/// second SIGINT ends the process at once, as an impatient user expects.
class StopSignals {
 public:
  explicit StopSignals(int exit_signal = SIGTERM);
  ~StopSignals();

  /// The signal that asked for a stop, or 0.
  int received() const;

 private:
  CaughtSignals caught_;
};

/// Counts `save_signals`, as long as it lives; `exit_signal` is left alone.
class SaveSignals {
 public:
  explicit SaveSignals(int exit_signal = SIGTERM);
  ~SaveSignals();

  int received() const;

 private:
  CaughtSignals caught_;
};

/// A write beyond the limit of a file's size fails with an error, like one to a full disk, instead of ending
/// the process.
void ignore_file_size_signal();
/// A write to a pipe that nobody reads any more fails with an error instead of ending the process.
void ignore_pipe_signal();
/// Undoes both, for a program that this process becomes or starts. Allowed between fork and exec.
void restore_write_signals();

}  // namespace primus
