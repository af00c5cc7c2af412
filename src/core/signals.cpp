#include "core/signals.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace primus {

namespace {

// A signal handler reaches nothing but static storage; these are the only such variables of the program.
volatile std::sig_atomic_t received_stop = 0;
volatile std::sig_atomic_t received_saves = 0;

void on_stop(int number) {
  received_stop = number;
  if (number == SIGINT) std::signal(SIGINT, SIG_DFL);
}

void on_save(int) { received_saves = received_saves + 1; }

std::vector<int> stop_signals_with(int exit_signal) {
  std::vector<int> numbers(stop_signals.begin(), stop_signals.end());
  numbers.push_back(exit_signal);
  return numbers;
}

std::vector<int> save_signals_without(int exit_signal) {
  std::vector<int> numbers(save_signals.begin(), save_signals.end());
  std::erase(numbers, exit_signal);
  return numbers;
}

}  // namespace

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

int signal_named(const std::string& name) {
  for (const std::span<const int> numbers :
       {std::span<const int>(stop_signals), std::span<const int>(save_signals),
        std::span<const int>(other_exit_signals)}) {
    for (const int number : numbers) {
      if (signal_name(number) == name) return number;
    }
  }
  throw_user_error("'{}' is not a signal that can end a run", name);
}

bool ignores_hangup() {
  struct sigaction action{};
  return ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

CaughtSignals::CaughtSignals(std::span<const int> numbers, int wanted, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  for (const int number : numbers) {
    if (number == SIGHUP && number != wanted && ignores_hangup()) continue;
    struct sigaction before{};
    ::sigaction(number, &action, &before);
    previous_.emplace_back(number, before);
  }
}

CaughtSignals::~CaughtSignals() {
  // In reverse: a signal that was named twice gets what it had at first.
  for (auto entry = previous_.rbegin(); entry != previous_.rend(); ++entry)
    ::sigaction(entry->first, &entry->second, nullptr);
}

StopSignals::StopSignals(int exit_signal) : caught_(stop_signals_with(exit_signal), exit_signal, on_stop) {}

StopSignals::~StopSignals() { received_stop = 0; }

int StopSignals::received() const { return received_stop; }

SaveSignals::SaveSignals(int exit_signal)
    : caught_(save_signals_without(exit_signal), /*wanted=*/0, on_save) {}

SaveSignals::~SaveSignals() { received_saves = 0; }

int SaveSignals::received() const { return received_saves; }

void ignore_file_size_signal() { std::signal(SIGXFSZ, SIG_IGN); }

void ignore_pipe_signal() { std::signal(SIGPIPE, SIG_IGN); }

void restore_write_signals() {
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);
}

}  // namespace primus
