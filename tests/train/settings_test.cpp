#include "train/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/arguments.h"
#include "core/error.h"
#include "core/signals.h"
#include "tests/message_of.h"

namespace primus::train {
namespace {

using config::Arguments;

Arguments arguments_from(const std::string& yaml) {
  return Arguments::from_yaml(
      "{num_layers: 2, hidden_size: 32, num_attention_heads: 4, max_position_embeddings: 32, lr: 0.1, "
      "micro_batch_size: 2, seq_length: 32, " +
      yaml + "}");
}

void expect_refused(const std::string& yaml, const std::string& text) {
  EXPECT_THAT(primus::testing::message_of([&] { loop_settings_from(arguments_from(yaml)); }),
              ::testing::HasSubstr(text))
      << yaml;
}

TEST(Settings, ARunIsCountedInIterationsOrInSamples) {
  EXPECT_EQ(loop_settings_from(arguments_from("train_iters: 7")).train_iters, 7);
  EXPECT_EQ(loop_settings_from(arguments_from("train_iters: null, train_samples: 70")).train_samples, 70);
  expect_refused("train_iters: 7, train_samples: 70", "both set");
  expect_refused("train_iters: null", "no length");
}

TEST(Settings, EverySignalThatExitSignalMayNameIsKnown) {
  for (const char* name :
       {"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU", "SIGPWR"}) {
    const int number =
        stop_settings_from(arguments_from(fmt::format("train_iters: 7, exit_signal: {}", name)), 7)
            .exit_signal;
    EXPECT_EQ(signal_name(number), name);
  }
}

TEST(Settings, ABatchRampsUpOnlyInRunsCountedInSamples) {
  const auto settings =
      loop_settings_from(arguments_from("train_samples: 70, rampup_batch_size: [4, 4, 40]"));
  ASSERT_TRUE(settings.batch.ramp_up);
  EXPECT_EQ(settings.batch.ramp_up->samples, 40);
  expect_refused("train_iters: 7, rampup_batch_size: [4, 4, 40]", "train_samples");
  expect_refused("train_samples: 70, rampup_batch_size: [4, 4]", "three numbers");
}

TEST(Settings, WithoutSaveNothingIsSaved) {
  EXPECT_FALSE(stop_settings_from(arguments_from("save_interval: 5"), 10).save_interval);
  EXPECT_EQ(stop_settings_from(arguments_from("save: x, save_interval: 5"), 10).save_interval, 5);
  EXPECT_THROW(resume_settings_from(arguments_from("save: x, save_interval: 0")), UserError);
}

}  // namespace
}  // namespace primus::train
