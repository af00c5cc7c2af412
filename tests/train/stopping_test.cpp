#include "train/stopping.h"

#include <gtest/gtest.h>

#include <csignal>

namespace primus::train {
namespace {

TEST(Stopping, AnOrdinaryIterationGoesOn) {
  const StopDecision decision =
      decide_after_iteration({.train_iters = 10, .save_interval = 5}, {.iteration = 3});
  EXPECT_FALSE(decision.save);
  EXPECT_FALSE(decision.exit);
}

TEST(Stopping, SavesAtTheInterval) {
  const StopDecision decision =
      decide_after_iteration({.train_iters = 10, .save_interval = 5}, {.iteration = 5});
  EXPECT_TRUE(decision.save);
  EXPECT_FALSE(decision.exit);
}

TEST(Stopping, ASignalSavesAndExits) {
  const StopSettings saving{.train_iters = 10, .save_interval = 5};
  const StopDecision decision = decide_after_iteration(saving, {.iteration = 3, .signal = SIGTERM});
  EXPECT_TRUE(decision.save);
  EXPECT_TRUE(decision.exit);
  EXPECT_EQ(decision.reason, "exiting program after receiving SIGTERM.");
  EXPECT_FALSE(decide_after_iteration({.train_iters = 10}, {.iteration = 3, .signal = SIGTERM}).save);
}

TEST(Stopping, ASignalsNameIsSaid) {
  EXPECT_EQ(decide_after_iteration({}, {.iteration = 3, .signal = SIGHUP}).reason,
            "exiting program after receiving SIGHUP.");
}

TEST(Stopping, ARequestToSaveIsAnsweredOnceAndTheRunGoesOn) {
  const StopSettings saving{.train_iters = 10, .save_interval = 5};
  const StopDecision decision = decide_after_iteration(saving, {.iteration = 3, .save_requests = 1});
  EXPECT_TRUE(decision.save);
  EXPECT_FALSE(decision.exit);
  EXPECT_FALSE(decision.reason.empty());
  // The signal reaches another rank an iteration later.
  EXPECT_FALSE(
      decide_after_iteration(saving, {.iteration = 4, .save_requests = 1, .answered_save_requests = 1}).save);
  EXPECT_TRUE(decide_after_iteration(saving, {.iteration = 5, .save_requests = 1}).reason.empty())
      << "the regular save answers it";
}

TEST(Stopping, ARunThatSavesNothingSaysSoWhenASignalAsksItTo) {
  const StopDecision decision =
      decide_after_iteration({.train_iters = 10}, {.iteration = 3, .save_requests = 1});
  EXPECT_FALSE(decision.save);
  EXPECT_FALSE(decision.exit);
  EXPECT_FALSE(decision.reason.empty());
}

TEST(Stopping, AnEvaluationIsLeftForSignalsAndTheTimeLimitAlone) {
  const StopSettings settings{
      .train_iters = 10, .save_interval = 5, .exit_interval = 5, .exit_duration_in_mins = 2.0};
  const StopDecision nothing = decide_during_evaluation(settings, {.iteration = 5});
  EXPECT_FALSE(nothing.save);
  EXPECT_FALSE(nothing.exit);
  const StopDecision ends = decide_during_evaluation(settings, {.iteration = 5, .signal = SIGTERM});
  EXPECT_TRUE(ends.save);
  EXPECT_TRUE(ends.exit);
  EXPECT_TRUE(decide_during_evaluation(settings, {.iteration = 5, .minutes = 3}).exit);
  const StopDecision saves = decide_during_evaluation(settings, {.iteration = 5, .save_requests = 1});
  EXPECT_TRUE(saves.save);
  EXPECT_FALSE(saves.exit);
  EXPECT_EQ(saves.save_requests, 1);
}

TEST(Stopping, TheTimeLimitAndTheExitIntervalSaveAndExit) {
  const StopSettings settings{
      .train_iters = 10, .save_interval = 100, .exit_interval = 4, .exit_duration_in_mins = 2.0};
  EXPECT_FALSE(decide_after_iteration(settings, {.iteration = 3, .minutes = 1.9}).exit);
  EXPECT_TRUE(decide_after_iteration(settings, {.iteration = 3, .minutes = 2.1}).exit);
  const StopDecision decision = decide_after_iteration(settings, {.iteration = 4, .minutes = 0});
  EXPECT_TRUE(decision.exit);
  EXPECT_TRUE(decision.save);
}

TEST(Stopping, TheEndSavesUnlessItIsSavedAlreadyOrSwitchedOff) {
  EXPECT_TRUE(owes_last_save({.save_interval = 4}, 10, 8));
  EXPECT_FALSE(owes_last_save({.save_interval = 5}, 10, 10));
  EXPECT_FALSE(owes_last_save({.save_interval = 4, .disable_last_saving = true}, 10, 8));
  EXPECT_FALSE(owes_last_save({}, 10, 0));
}

}  // namespace
}  // namespace primus::train
