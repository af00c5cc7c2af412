#include "observe/metrics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/temporary_directory.h"

namespace primus::observe {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

void write_iterations(MetricsFile& metrics, int first, int last, double value = 0.5) {
  for (int i = first; i <= last; ++i) metrics.add({{"iteration", i}, {"lm_loss", value + i}});
}

TEST(MetricsFile, WritesOneObjectPerLineInTheGivenOrder) {
  const TemporaryDirectory folder;
  MetricsFile metrics(folder / "metrics.jsonl", 0);
  metrics.add({{"iteration", 1}, {"consumed_samples", 16}, {"lm_loss", 10.5}});
  metrics.add({{"iteration", 1}, {"validation_loss", nullptr}});
  EXPECT_EQ(read_file(folder / "metrics.jsonl"),
            "{\"iteration\":1,\"consumed_samples\":16,\"lm_loss\":10.5}\n"
            "{\"iteration\":1,\"validation_loss\":null}\n");
}

TEST(MetricsFile, NumbersKeepTheirBits) {
  const TemporaryDirectory folder;
  MetricsFile metrics(folder / "metrics.jsonl", 0);
  std::vector<double> values = {
      0.1, 1.0 / 3.0, 6.02214076e23, std::numeric_limits<double>::denorm_min(), std::nextafter(1.0, 2.0),
      1e-4};
  for (int i = 1; i < 200; ++i) values.push_back(std::sin(i) * std::pow(10.0, i % 40 - 20));
  metrics.add({{"iteration", 1}, {"values", values}});
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "metrics.jsonl"))["values"].get<std::vector<double>>(),
            values);
}

TEST(MetricsFile, AResumedRunReadsAsOneUninterruptedRun) {
  const TemporaryDirectory folder;
  {
    MetricsFile whole(folder / "whole", 0);
    write_iterations(whole, 1, 9);
    MetricsFile first(folder / "metrics", 0);
    write_iterations(first, 1, 6, 0.5);
  }
  MetricsFile second(folder / "metrics", 4);
  write_iterations(second, 5, 9);
  EXPECT_EQ(read_file(folder / "metrics"), read_file(folder / "whole"));
}

TEST(MetricsFile, ALineCutOffByAKillIsRemoved) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics") << "{\"iteration\":1}\n{\"iteration\":2}\n{\"itera";
  MetricsFile metrics(folder / "metrics", 10);
  metrics.add({{"iteration", 3}});
  EXPECT_EQ(read_file(folder / "metrics"), "{\"iteration\":1}\n{\"iteration\":2}\n{\"iteration\":3}\n");
}

TEST(MetricsFile, AFreshRunStartsEmpty) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics") << "{\"iteration\":1}\n";
  MetricsFile metrics(folder / "metrics", 0);
  EXPECT_EQ(read_file(folder / "metrics"), "");
}

TEST(MetricsFile, APlaceThatCannotBeWrittenIsNamed) {
  EXPECT_THAT([] { MetricsFile("/nonexistent/metrics.jsonl", 0); },
              ThrowsMessage<UserError>(HasSubstr("/nonexistent/metrics.jsonl")));
}

TEST(PeakResidentBytes, GrowsWithTheMemoryInUse) {
  const std::int64_t before = peak_resident_bytes();
  EXPECT_GT(before, 1 << 20);
  const std::vector<char> block(64 << 20, 'x');
  EXPECT_GT(block[12345], 0);
  EXPECT_GE(peak_resident_bytes(), 64 << 20);
}

}  // namespace
}  // namespace primus::observe
