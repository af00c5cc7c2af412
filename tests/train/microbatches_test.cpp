#include "train/microbatches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus::train {
namespace {

TEST(Microbatches, OneBatchIsSplitOverRanksAndMicrobatches) {
  const MicrobatchCalculator calculator({.micro_batch_size = 2, .global_batch_size = 24}, 3);
  EXPECT_EQ(calculator.num_microbatches(0), 4);
  EXPECT_EQ(calculator.global_batch_size(1000), 24);
  EXPECT_EQ(calculator.iterations_for(100), 4);
}

TEST(Microbatches, WithoutAGlobalSizeEveryRankTakesOneMicrobatch) {
  EXPECT_EQ(MicrobatchCalculator({.micro_batch_size = 4}, 2).global_batch_size(0), 8);
}

TEST(Microbatches, AnIndivisibleBatchIsRefusedOrRoundedDown) {
  EXPECT_THROW(MicrobatchCalculator({.micro_batch_size = 2, .global_batch_size = 7}, 2), UserError);
  EXPECT_EQ(
      MicrobatchCalculator({.micro_batch_size = 2, .global_batch_size = 7, .decrease_if_needed = true}, 2)
          .global_batch_size(0),
      4);
  EXPECT_THROW(
      MicrobatchCalculator({.micro_batch_size = 8, .global_batch_size = 7, .decrease_if_needed = true}, 2),
      UserError);
  EXPECT_THROW(MicrobatchCalculator({.micro_batch_size = 0}, 1), UserError);
  EXPECT_THROW(MicrobatchCalculator({.micro_batch_size = 1, .global_batch_size = -4}, 1), UserError);
}

TEST(Microbatches, TheBatchRampsUpInStepsOfEqualSamples) {
  const MicrobatchCalculator calculator(
      {.micro_batch_size = 1, .global_batch_size = 16, .ramp_up = BatchRampUp{4, 4, 120}}, 1);
  EXPECT_EQ(calculator.global_batch_size(0), 4);
  EXPECT_EQ(calculator.global_batch_size(39), 4);
  EXPECT_EQ(calculator.global_batch_size(40), 8);
  EXPECT_EQ(calculator.global_batch_size(119), 12);
  EXPECT_EQ(calculator.global_batch_size(120), 16);
  EXPECT_EQ(calculator.global_batch_size(121), 16);
  // 10 x 4, 5 x 8, 4 x 12 (to 128), then 16s.
  EXPECT_EQ(calculator.iterations_for(128 + 32), 10 + 5 + 4 + 2);
}

TEST(Microbatches, ARampThatDoesNotReachTheFinalSizeIsRefused) {
  const auto make = [](BatchRampUp ramp) {
    return MicrobatchCalculator({.micro_batch_size = 1, .global_batch_size = 16, .ramp_up = ramp}, 1);
  };
  EXPECT_THROW(make({4, 5, 100}), UserError);
  EXPECT_THROW(make({32, 4, 100}), UserError);
}

}  // namespace
}  // namespace primus::train
