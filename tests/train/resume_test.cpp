#include "train/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/index.h"
#include "core/error.h"
#include "core/file.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::train {
namespace {

using ::testing::HasSubstr;

/// A folder that looks as if it held a checkpoint of `iteration`: one of no tensors.
void pretend_checkpoint(const std::filesystem::path& folder, int iteration) {
  const auto directory = folder / fmt::format("iter_{:07d}", iteration);
  make_directories(directory);
  write_file_atomically(directory / "index.json", to_json(checkpoint::Index{}).dump());
  write_file_atomically(directory / "common.json", "{}");
  write_file_atomically(folder / "latest_checkpointed_iteration.txt", std::to_string(iteration));
}

class Resume : public ::testing::Test {
 protected:
  Resume() : own_(folder_ / "own"), other_(folder_ / "other") {}

  testing::TemporaryDirectory folder_;
  std::filesystem::path own_;
  std::filesystem::path other_;
};

TEST_F(Resume, ARunWithNothingToLoadStartsFromRandomWeights) {
  EXPECT_FALSE(plan_load({}, own_));
  EXPECT_FALSE(plan_load({.auto_continue_train = true}, own_));
}

TEST_F(Resume, TheRunsOwnCheckpointComesFirstAndIsContinued) {
  pretend_checkpoint(own_, 20);
  pretend_checkpoint(other_, 100);
  const auto plan = plan_load({.load = other_.string(), .auto_continue_train = true, .finetune = true}, own_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->directory, own_ / "iter_0000020");
  EXPECT_FALSE(plan->weights_only);
  EXPECT_TRUE(plan->optimizer);
  EXPECT_THAT(plan->messages, ::testing::Contains(HasSubstr("[auto_continue_train]")));
}

TEST_F(Resume, ARestartedRunContinuesFromWhatItHasSavedButNotFromAnOlderRun) {
  using std::chrono::hours;
  pretend_checkpoint(own_, 20);
  const auto now = std::chrono::system_clock::now();
  const auto plan = plan_load({.finetune = true, .restarted_run_began = now - hours(1)}, own_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->directory, own_ / "iter_0000020");
  EXPECT_FALSE(plan->weights_only);
  EXPECT_THAT(plan->messages, ::testing::Contains(HasSubstr("[restarted]")));
  EXPECT_THAT(testing::message_of([&] { plan_load({.restarted_run_began = now + hours(1)}, own_); }),
              HasSubstr("checkpoints of an earlier run (iter_0000020)"));
  EXPECT_FALSE(plan_load({.restarted_run_began = now - hours(1)}, other_));
}

TEST_F(Resume, WithoutAnOwnCheckpointLoadIsTaken) {
  pretend_checkpoint(other_, 100);
  const auto plan = plan_load({.load = other_.string(), .auto_continue_train = true}, own_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->directory, other_ / "iter_0000100");
  EXPECT_FALSE(plan->weights_only);
}

TEST_F(Resume, FinetuneTakesWeightsAlone) {
  pretend_checkpoint(other_, 100);
  const auto plan = plan_load({.load = other_.string(), .finetune = true}, own_);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->weights_only);
  EXPECT_FALSE(plan->optimizer);
}

TEST_F(Resume, NoRunStartsAnewOverCheckpoints) {
  pretend_checkpoint(own_, 20);
  pretend_checkpoint(other_, 100);
  const ResumeSettings saving{.save = true, .save_interval = 10};
  const auto refusal = [&](ResumeSettings settings) {
    return testing::message_of([&] { plan_load(settings, own_); });
  };
  EXPECT_THAT(refusal(saving), HasSubstr("iter_0000020"));
  ResumeSettings finetunes = saving;
  finetunes.load = other_.string();
  EXPECT_EQ(refusal(finetunes), "accepted");  // goes on at iteration 100
  finetunes.finetune = true;
  EXPECT_THAT(refusal(finetunes), HasSubstr("start at iteration 0 with the weights of"));
  ResumeSettings continues = saving;
  continues.auto_continue_train = true;
  EXPECT_EQ(refusal(continues), "accepted");
  EXPECT_THAT(refusal({}), HasSubstr("iter_0000020"));  // its metrics would be overwritten, saving or not
  EXPECT_THAT(refusal({.skip_train = true}), HasSubstr("iter_0000020"));
}

TEST_F(Resume, ADamagedCheckpointKeepsARunFromStartingAnewToo) {
  pretend_checkpoint(own_, 20);
  std::filesystem::remove(own_ / "iter_0000020" / "index.json");
  EXPECT_THAT(testing::message_of([&] { plan_load({}, own_); }), HasSubstr("iter_0000020"));
}

TEST_F(Resume, GoingBackWithoutSavingIsRefusedUnlessNothingIsTrained) {
  pretend_checkpoint(own_, 30);
  pretend_checkpoint(own_, 20);  // the tracker's
  EXPECT_THAT(testing::message_of([&] { plan_load({.auto_continue_train = true}, own_); }),
              HasSubstr("holds newer checkpoints (iter_0000030)"));
  const auto evaluation = plan_load({.skip_train = true, .auto_continue_train = true}, own_);
  ASSERT_TRUE(evaluation);
  EXPECT_EQ(evaluation->iteration, 20);
}

TEST_F(Resume, GoingBackTellsWhichCheckpointsAreOverwritten) {
  pretend_checkpoint(own_, 30);
  pretend_checkpoint(own_, 20);  // the tracker's
  const auto plan = plan_load({.save = true, .save_interval = 10, .auto_continue_train = true}, own_);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->iteration, 20);
  EXPECT_THAT(plan->messages,
              ::testing::Contains(HasSubstr("will be overwritten when the run reaches them: iter_0000030")));
}

TEST_F(Resume, AMissingCheckpointEndsTheRunOnlyWhenAsked) {
  EXPECT_FALSE(plan_load({.load = other_.string()}, own_));
  EXPECT_THROW(plan_load({.load = other_.string(), .exit_on_missing_checkpoint = true}, own_), UserError);
}

}  // namespace
}  // namespace primus::train
