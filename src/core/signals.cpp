#include "core/signals.h"

namespace primus {

namespace {

// A signal handler reaches nothing but static storage; this is the only such variable of the program.
volatile std::sig_atomic_t received_signal = 0;

void on_signal(int signal_number) {
  received_signal = signal_number;
  if (signal_number == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, &previous_terminate_);
  sigaction(SIGINT, &action, &previous_interrupt_);
}

StopSignals::~StopSignals() {
  sigaction(SIGTERM, &previous_terminate_, nullptr);
  sigaction(SIGINT, &previous_interrupt_, nullptr);
}

int StopSignals::received() const { return received_signal; }

}  // namespace primus
