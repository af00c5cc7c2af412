#include "optimizer/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"

namespace primus::optimizer {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

SchedulerConfig config_from(const json& c) {
  SchedulerConfig config{.init_lr = c["init_lr"],
                         .max_lr = c["max_lr"],
                         .min_lr = c["min_lr"],
                         .lr_warmup_steps = c["lr_warmup_steps"],
                         .lr_decay_steps = c["lr_decay_steps"],
                         .lr_decay_style = parse_decay_style(c["lr_decay_style"]),
                         .start_weight_decay = c["start_wd"],
                         .end_weight_decay = c["end_wd"],
                         .weight_decay_steps = c["wd_incr_steps"],
                         .weight_decay_style = parse_weight_decay_style(c["wd_incr_style"])};
  if (!c["wsd_decay_steps"].is_null()) {
    config.wsd_decay_steps = c["wsd_decay_steps"].get<std::int64_t>();
    config.wsd_decay_style = parse_wsd_decay_style(c["lr_wsd_decay_style"]);
  }
  return config;
}

SchedulerConfig cosine() {
  return {.max_lr = 1e-3,
          .min_lr = 1e-5,
          .lr_warmup_steps = 10,
          .lr_decay_steps = 100,
          .lr_decay_style = DecayStyle::cosine};
}

TEST(OptimizerParamScheduler, EqualsMegatronsForEveryStyle) {
  const json fixture =
      json::parse(read_file(std::string(PRIMUS_SOURCE_DIR) + "/tests/optimizer/fixtures/schedules.json"));
  ASSERT_EQ(fixture["cases"].size(), 64);
  for (const json& one : fixture["cases"]) {
    OptimizerParamScheduler scheduler(config_from(one["config"]));
    for (std::size_t i = 0; i < fixture["points"].size(); ++i) {
      scheduler.step(fixture["points"][i].get<std::int64_t>() - scheduler.num_steps());
      const double rate = one["values"][i][0];
      EXPECT_NEAR(scheduler.learning_rate(), rate, 1e-15 * std::abs(rate)) << one["config"] << " point " << i;
      EXPECT_DOUBLE_EQ(scheduler.weight_decay(), one["values"][i][1].get<double>());
    }
  }
}

TEST(OptimizerParamScheduler, TheEdgesMayHaveTheirOwnRange) {
  SchedulerConfig config = cosine();
  EXPECT_EQ(OptimizerParamScheduler(config).decoupled_learning_rate(),
            OptimizerParamScheduler(config).learning_rate());
  config.decoupled_lr = 4e-3;
  config.decoupled_min_lr = 2e-3;
  OptimizerParamScheduler scheduler(config);
  scheduler.step(10);
  EXPECT_DOUBLE_EQ(scheduler.decoupled_learning_rate(), 4e-3);
  EXPECT_DOUBLE_EQ(scheduler.learning_rate(), 1e-3);
  scheduler.step(90);
  EXPECT_DOUBLE_EQ(scheduler.decoupled_learning_rate(), 2e-3);
}

TEST(OptimizerParamScheduler, ResumesAtTheSameRate) {
  OptimizerParamScheduler first(cosine()), second(cosine());
  first.step(37);
  second.load(json::parse(first.state().dump()));
  EXPECT_EQ(second.num_steps(), 37);
  EXPECT_EQ(first.learning_rate(), second.learning_rate());
}

TEST(OptimizerParamScheduler, AnotherScheduleInTheCheckpointIsRefusedUnlessOneSideIsChosen) {
  OptimizerParamScheduler saved(cosine());
  saved.step(50);
  SchedulerConfig changed = cosine();
  changed.max_lr = 2e-3;

  OptimizerParamScheduler neither(changed);
  EXPECT_THAT([&] { neither.load(saved.state()); },
              ThrowsMessage<UserError>(
                  AllOf(HasSubstr("lr was 0.001, is 0.002"), HasSubstr("override_opt_param_scheduler"))));
  changed.override_checkpoint = true;
  OptimizerParamScheduler ours(changed);
  ours.load(saved.state());
  EXPECT_EQ(ours.num_steps(), 50);
  EXPECT_EQ(ours.config().max_lr, 2e-3);

  changed.override_checkpoint = false;
  changed.use_checkpoint = true;
  OptimizerParamScheduler theirs(changed);
  theirs.load(saved.state());
  EXPECT_EQ(theirs.learning_rate(), saved.learning_rate());
}

TEST(OptimizerParamScheduler, ImpossibleSchedulesNameTheArgument) {
  const auto refuses = [](const char* argument, const auto& change) {
    SchedulerConfig config = cosine();
    change(config);
    EXPECT_THAT([&] { OptimizerParamScheduler{config}; }, ThrowsMessage<UserError>(HasSubstr(argument)));
  };
  refuses("min_lr", [](auto& c) { c.min_lr = -1; });
  refuses("min_lr", [](auto& c) { c.min_lr = 1; });
  refuses("decoupled_lr", [](auto& c) { c.decoupled_lr = 1e-6; });
  refuses("lr_warmup_init", [](auto& c) { c.init_lr = 1; });
  refuses("lr_decay_iters", [](auto& c) { c.lr_decay_steps = 0; });
  refuses("lr_warmup_iters", [](auto& c) { c.lr_warmup_steps = 100; });
  refuses("lr_wsd_decay_iters", [](auto& c) { c.lr_decay_style = DecayStyle::wsd; });
  refuses("start_weight_decay", [](auto& c) { c.start_weight_decay = 1; });
  refuses("weight_decay_incr_style", [](auto& c) { c.end_weight_decay = 1; });
  refuses("exclude each other", [](auto& c) { c.override_checkpoint = c.use_checkpoint = true; });
  EXPECT_THAT([] { parse_decay_style("cosin"); },
              ThrowsMessage<UserError>(HasSubstr("lr_decay_style: 'cosin' is not one of constant, linear")));
}

}  // namespace
}  // namespace primus::optimizer
