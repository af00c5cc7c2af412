#include "core/signals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus {
namespace {

TEST(Signals, AreKnownByTheirNames) {
  for (const char* name : {"SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGXCPU"})
    EXPECT_EQ(signal_name(signal_named(name)), name);
  for (const char* name : {"SIGKILL", "SIGSTOP", "SIGSEGV", "TERM", ""})
    EXPECT_THROW(signal_named(name), UserError);
}

TEST(StopSignals, AreRememberedUntilTheEndOfTheirLife) {
  {
    const StopSignals signals;
    EXPECT_EQ(signals.received(), 0);
    ::raise(SIGHUP);
    EXPECT_EQ(signals.received(), SIGHUP);
  }
  const StopSignals others(SIGUSR1);
  EXPECT_EQ(others.received(), 0);
  ::raise(SIGUSR1);
  EXPECT_EQ(others.received(), SIGUSR1);
}

TEST(StopSignals, AHangupThatTheProcessWasStartedToIgnoreStaysIgnored) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const StopSignals signals;
    ::raise(SIGHUP);
    EXPECT_EQ(signals.received(), 0);
    const StopSignals wanted(SIGHUP);
    ::raise(SIGHUP);
    EXPECT_EQ(wanted.received(), SIGHUP) << "exit_signal names it";
  }
  EXPECT_TRUE(ignores_hangup());
  std::signal(SIGHUP, SIG_DFL);
}

TEST(SaveSignals, AreCountedUnlessOneOfThemEndsTheRun) {
  const SaveSignals signals(SIGUSR2);
  const StopSignals stops(SIGUSR2);
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  EXPECT_EQ(signals.received(), 2);
  EXPECT_EQ(stops.received(), SIGUSR2);
}

}  // namespace
}  // namespace primus
