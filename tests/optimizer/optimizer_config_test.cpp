#include "optimizer/optimizer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/arguments.h"
#include "core/error.h"

namespace primus::optimizer {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// With the arguments that have no default.
config::Arguments arguments_from(const std::string& yaml) {
  return config::Arguments::from_yaml(
      "num_layers: 1\nhidden_size: 8\nnum_attention_heads: 1\nseq_length: 8\nmax_position_embeddings: 8\n"
      "micro_batch_size: 1\n" +
      yaml);
}

/// With a global batch of 8 samples and 50 iterations.
SchedulerConfig scheduler_from(const std::string& yaml) {
  return scheduler_config_from(arguments_from(yaml), 8, 50);
}

TEST(SchedulerFromArguments, IterationsBecomeSamples) {
  const SchedulerConfig config = scheduler_from(
      "lr: 0.001\nmin_lr: 0.0001\nlr_warmup_iters: 10\nlr_decay_iters: 40\n"
      "lr_decay_style: WSD\nlr_wsd_decay_iters: 20\nweight_decay: 0.1\nlr_warmup_init: 1.0e-5");
  EXPECT_EQ(config.lr_decay_steps, 320);
  EXPECT_EQ(config.lr_warmup_steps, 80);
  EXPECT_EQ(config.wsd_decay_steps, 160);
  EXPECT_EQ(config.weight_decay_steps, 400);
  EXPECT_EQ(config.lr_decay_style, DecayStyle::wsd);
  EXPECT_EQ(config.init_lr, 1e-5);
  EXPECT_EQ(config.start_weight_decay, 0.1);
  EXPECT_EQ(config.end_weight_decay, 0.1);
  EXPECT_NO_THROW(OptimizerParamScheduler{config});
}

TEST(SchedulerFromArguments, TheHorizonIsTheRunUnlessSaidOtherwise) {
  EXPECT_EQ(scheduler_from("train_iters: 50\nlr: 0.001").lr_decay_steps, 400);
  const SchedulerConfig samples = scheduler_from("train_samples: 77\nlr: 0.001\nlr_warmup_samples: 7");
  EXPECT_EQ(samples.lr_decay_steps, 77);
  EXPECT_EQ(samples.weight_decay_steps, 77);
  EXPECT_EQ(samples.lr_warmup_steps, 7);
}

TEST(SchedulerFromArguments, TheWarmUpMayBeAFractionOfTheDecay) {
  EXPECT_DOUBLE_EQ(scheduler_from("train_iters: 50\nlr: 0.001\nlr_warmup_fraction: 0.01").lr_warmup_steps,
                   4.0);
}

TEST(SchedulerFromArguments, AGrowingWeightDecayNeedsBothEnds) {
  const SchedulerConfig config = scheduler_from(
      "train_iters: 5\nlr: 0.001\nweight_decay_incr_style: linear\nstart_weight_decay: 0.01\n"
      "end_weight_decay: 0.1");
  EXPECT_EQ(config.start_weight_decay, 0.01);
  EXPECT_EQ(config.end_weight_decay, 0.1);
  EXPECT_THAT([] { scheduler_from("train_iters: 5\nlr: 0.001\nweight_decay_incr_style: cosine"); },
              ThrowsMessage<UserError>(HasSubstr("start_weight_decay")));
}

TEST(SchedulerFromArguments, TwoWarmUpsContradictEachOther) {
  EXPECT_THAT([] { scheduler_from("lr: 0.001\nlr_warmup_fraction: 0.1\nlr_warmup_iters: 5"); },
              ThrowsMessage<UserError>(HasSubstr("lr_warmup_fraction")));
}

TEST(SchedulerFromArguments, EmbeddingAndOutputMayHaveTheirOwnRange) {
  const SchedulerConfig config =
      scheduler_from("lr: 0.001\ndecoupled_lr: 0.01\ndecoupled_min_lr: 0.002\nlr_decay_style: constant");
  EXPECT_EQ(config.decoupled_lr, 0.01);
  EXPECT_EQ(config.decoupled_min_lr, 0.002);
  const OptimizerParamScheduler scheduler(config);
  EXPECT_EQ(scheduler.learning_rate(), 0.001);
  EXPECT_EQ(scheduler.decoupled_learning_rate(), 0.01);
  const OptimizerParamScheduler shared(scheduler_from("lr: 0.001\nlr_decay_style: constant"));
  EXPECT_EQ(shared.decoupled_learning_rate(), shared.learning_rate());
  // It counts with decoupled_lr alone.
  EXPECT_EQ(scheduler_from("lr: 0.001\ndecoupled_min_lr: 0.0001").decoupled_min_lr, std::nullopt);
}

TEST(OptimizerFromArguments, TakesTheValues) {
  const OptimizerConfig config = optimizer_config_from(arguments_from(
      "lr: 0.001\noptimizer: sgd\nadam_beta1: 0.8\nadam_beta2: 0.95\nadam_eps: 1.0e-5\nsgd_momentum: 0.7\n"
      "clip_grad: 0.5\ncheck_for_nan_in_loss_and_grad: false"));
  EXPECT_EQ(config.kind, OptimizerConfig::Kind::sgd);
  EXPECT_EQ(config.adam_beta1, 0.8);
  EXPECT_EQ(config.adam_beta2, 0.95);
  EXPECT_EQ(config.adam_eps, 1e-5);
  EXPECT_EQ(config.sgd_momentum, 0.7);
  EXPECT_EQ(config.clip_grad, 0.5);
  EXPECT_FALSE(config.check_for_nan_in_grad);
}

TEST(OptimizerFromArguments, RefusesOptimizersThatAreNotThere) {
  EXPECT_THAT([] { optimizer_config_from(arguments_from("lr: 0.001\noptimizer: muon")); },
              ThrowsMessage<UserError>(HasSubstr("muon")));
}

}  // namespace
}  // namespace primus::optimizer
