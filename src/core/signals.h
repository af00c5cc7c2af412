#pragma once

#include <csignal>

namespace primus {

/// Turns SIGTERM and SIGINT into a request that the training loop polls, from construction to destruction.
/// A second SIGINT ends the process at once, as an impatient user expects.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that asked for a stop, or 0.
  int received() const;

 private:
  struct sigaction previous_terminate_{};
  struct sigaction previous_interrupt_{};
};

}  // namespace primus
