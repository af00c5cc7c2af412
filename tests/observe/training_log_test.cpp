#include "observe/training_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/file.h"

namespace primus::observe {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

TrainingFacts facts_from(const json& line, const std::string& time) {
  return {.time = time,
          .iteration = line["iteration"],
          .train_iters = line["train_iters"],
          .consumed_samples = line["consumed_samples"],
          .elapsed_ms = line["elapsed_ms"],
          .throughput = line["throughput"].get<double>(),
          .learning_rate = line["learning_rate"],
          .global_batch_size = line["global_batch_size"],
          .losses = line["losses"],
          .grad_norm = line["grad_norm"].get<double>()};
}

/// Lines that the original printed, with the facts behind them.
TEST(TrainingLine, EqualsTheOriginalsInBothForms) {
  const json cases =
      json::parse(read_file(std::string(PRIMUS_SOURCE_DIR) + "/tests/observe/fixtures/training_lines.json"));
  int compared = 0;
  for (const json& one : cases) {
    PrimusLine primus({.log_avg_skip_iterations = one["skip"],
                       .log_avg_reset_interval = one["reset"],
                       .seq_length = one["seq_length"],
                       .world_size = one["world_size"]});
    for (const json& line : one["lines"]) {
      const TrainingFacts facts = facts_from(line, one["time"]);
      EXPECT_EQ(megatron_line(facts), line["megatron"].get<std::string>()) << one["name"];
      EXPECT_EQ(primus.format(facts), line["primus"].get<std::string>()) << one["name"];
      ++compared;
    }
  }
  EXPECT_EQ(compared, 16);
}

TEST(TrainingLine, ShowsWhatIsThereAndOnlyThat) {
  TrainingFacts facts{.time = "T", .iteration = 7, .train_iters = 9};
  facts.losses = {{"lm loss", 2.0}, {"z_loss", 0.0}};
  const std::string plain = megatron_line(facts);
  for (const char* absent :
       {"skipped samples", "throughput", "z_loss", "grad norm", "num zeros", "params norm"})
    EXPECT_THAT(plain, Not(HasSubstr(absent)));
  facts.skipped_samples = 32;
  facts.num_zeros = 12;
  facts.params_norm = 3.14159;
  facts.skipped_iterations = 2;
  const std::string full = megatron_line(facts);
  EXPECT_THAT(full, HasSubstr(" | skipped samples:           32 | elapsed"));
  EXPECT_THAT(full, HasSubstr(" | num zeros: 12 | params norm: 3.142 | number of skipped iterations:   2 |"));
}

IterationFacts iteration(std::int64_t number, double loss) {
  return {.iteration = number,
          .consumed_samples = number * 4,
          .elapsed_ms = 100.0 * static_cast<double>(number),
          .floating_point_operations = 4e11,
          .learning_rate = 1e-3,
          .global_batch_size = 4,
          .losses = {{"lm loss", loss}},
          .grad_norm = 1.0};
}

TEST(TrainingLog, PrintsAfterTheFirstIterationAndThenAveragesOverTheInterval) {
  TrainingLog log({.log_interval = 4, .train_iters = 100});
  EXPECT_THAT(*log.add(iteration(5, 8.0), "T"), HasSubstr("lm loss: 8.000000E+00"));
  EXPECT_FALSE(log.add(iteration(6, 4.0), "T").has_value());
  IterationFacts skipped = iteration(7, 100.0);
  skipped.skipped = true;
  skipped.losses = {{"lm loss", std::numeric_limits<double>::infinity()}};
  EXPECT_FALSE(log.add(skipped, "T").has_value());
  const std::string line = *log.add(iteration(8, 2.0), "T");
  EXPECT_THAT(line, HasSubstr("iteration        8/     100"));
  EXPECT_THAT(line, HasSubstr("elapsed time per iteration (ms): 700.0 |"));
  EXPECT_THAT(line, HasSubstr("lm loss: 3.000000E+00"));
  EXPECT_THAT(line, HasSubstr("number of skipped iterations:   1 | number of nan iterations:   1 |"));
  EXPECT_THAT(line, Not(HasSubstr("throughput")));
}

TEST(TrainingLog, TakesPrimusFormWithLogThroughput) {
  TrainingLog log({.train_iters = 10,
                   .log_throughput = true,
                   .average = {.log_avg_skip_iterations = 1, .seq_length = 10, .world_size = 2}});
  EXPECT_THAT(*log.add(iteration(1, 1), "T"), HasSubstr("| throughput per GPU (TFLOP/s/GPU): 2.0 |"));
  EXPECT_THAT(*log.add(iteration(2, 1), "T"),
              HasSubstr("(ms): 200.0/200.0 | compute per GPU (TFLOP/s/GPU): 1.0 (avg 1.0)  | tokens/s/GPU "
                        "inst/harmonic mean: 100.0/100.0 |"));
  EXPECT_THAT(*log.add(iteration(4, 1), "T"), HasSubstr("mean: 50.0/66.7 |"));
}

TEST(TrainingLog, CountsIterationsWhoseLossIsNoNumberAndShowsIt) {
  TrainingLog log({.log_interval = 3, .train_iters = 100});
  const std::string first = *log.add(iteration(1, std::nan("")), "T");
  EXPECT_THAT(first, HasSubstr("| lm loss: NAN | loss scale: 1.0 |"));
  EXPECT_THAT(first, HasSubstr("number of skipped iterations:   0 | number of nan iterations:   1 |"));
  log.add(iteration(2, -std::numeric_limits<double>::infinity()), "T");
  const std::string second = *log.add(iteration(3, 2.0), "T");
  EXPECT_THAT(second, HasSubstr("| lm loss: -INF |"));
  EXPECT_THAT(second, HasSubstr("number of nan iterations:   1 |"));
}

TEST(TrainingLog, SaysNothingOfWhatWasNotComputed) {
  TrainingLog log({.train_iters = 9, .log_throughput = true, .average = {.log_avg_skip_iterations = 0}});
  log.add(iteration(1, 2.0), "T");
  const std::string line = *log.add(
      {.iteration = 2, .skipped_samples = 4, .elapsed_ms = 0.01, .global_batch_size = 4, .skipped = true},
      "T");
  for (const char* absent : {"lm loss", "grad norm", "FLOP", "tokens/s"})
    EXPECT_THAT(line, Not(HasSubstr(absent)));
  EXPECT_THAT(line, HasSubstr("number of skipped iterations:   1"));
}

TEST(TrainingLog, ASlowMachinesThroughputCanBeRead) {
  TrainingLog log({.train_iters = 9, .log_throughput = true, .average = {.log_avg_skip_iterations = 1}});
  IterationFacts slow = iteration(1, 2.0);
  slow.floating_point_operations = 5.678e9;
  EXPECT_THAT(*log.add(slow, "T"), HasSubstr("throughput per GPU (TFLOP/s/GPU): 0.0568 |"));
  slow.iteration = 2;
  EXPECT_THAT(*log.add(slow, "T"), HasSubstr("compute per GPU (TFLOP/s/GPU): 0.0568 (avg 0.0568) "));
  slow.iteration = 3;
  slow.floating_point_operations = 3.21e6;
  EXPECT_THAT(*log.add(slow, "T"), HasSubstr("compute per GPU (TFLOP/s/GPU): 0.0000321 (avg 0.0284) "));
}

TEST(TrainingLog, ThroughputIsThatOfTheWholeInterval) {
  TrainingLog log({.log_interval = 3, .train_iters = 9, .log_throughput = true});
  log.add(iteration(1, 2.0), "T");
  log.add({.iteration = 2, .elapsed_ms = 0, .skipped = true}, "T");
  // 4e11 operations in 300 ms, whatever the iteration before them.
  EXPECT_THAT(*log.add(iteration(3, 2.0), "T"), HasSubstr("(TFLOP/s/GPU): 1.3 "));
}

TEST(EvaluationLines, OfALossThatIsNoNumberHasNoPerplexityEither) {
  EXPECT_THAT(evaluation_lines("x", {{"lm loss", -std::nan("")}})[1],
              HasSubstr("lm loss value: NAN | lm loss PPL: NAN"));
}

TEST(EvaluationLines, AreMegatrons) {
  const auto lines = evaluation_lines("iteration 100", {{"lm loss", 2.0}});
  const std::string expected =
      " validation loss at iteration 100 | lm loss value: 2.000000E+00 | lm loss PPL: 7.389056E+00 | ";
  EXPECT_THAT(lines, ElementsAre(std::string(expected.size() + 1, '-'), expected,
                                 std::string(expected.size() + 1, '-')));
  EXPECT_THAT(evaluation_lines("x", {{"lm loss", 50.0}})[1], HasSubstr("PPL: 4.851652E+08"));
}

TEST(NowText, HasMicroseconds) {
  EXPECT_THAT(now_text(), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}"));
}

TEST(ProgressLine, ReadsWell) {
  EXPECT_EQ(progress_line({.iteration = 120,
                           .train_iters = 2000,
                           .loss = 3.21449,
                           .tokens_per_second = 41234,
                           .seconds_left = 192}),
            "iteration 120/2000 (6%) | loss 3.214 | 41.2k tokens/s | 3m 12s left");
  EXPECT_THAT(progress_line({.tokens_per_second = 950, .seconds_left = 7260}),
              HasSubstr("950 tokens/s | 2h 1m left"));
}

}  // namespace
}  // namespace primus::observe
