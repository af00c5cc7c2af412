#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"

namespace primus {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class Log : public ::testing::Test {
 protected:
  Log() : folder_(fs::temp_directory_path() / fmt::format("primus-log-test-{}", ::getpid())) {}
  ~Log() override { fs::remove_all(folder_); }

  LogOptions options(LogLevel file_level) const {
    LogOptions options;
    options.file_level = file_level;
    options.directory = folder_;
    options.rank = 3;
    options.world_size = 8;
    return options;
  }

  fs::path folder_;
};

TEST_F(Log, TheConsoleLineHasTheOriginalsFormat) {
  ::testing::internal::CaptureStderr();
  Logger(options(LogLevel::debug)).info("text");
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(
      line,
      MatchesRegex("\\[[0-9]+ [0-9:]+\\]\\[rank-3/8\\]\\[INFO\\]     \\[-*log_test.cpp:[0-9]+\\] : text\n"));
  const auto bracket = line.find("     [") + 6;
  EXPECT_EQ(line.find("] : ") - bracket, 23u);
}

TEST_F(Log, MessagesBelowTheConsoleLevelReachFilesOnly) {
  ::testing::internal::CaptureStderr();
  Logger(options(LogLevel::debug)).debug("quiet");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(read_file(folder_ / "debug.log"), HasSubstr("[rank-3/8][DEBUG]"));
}

TEST_F(Log, EveryFileHoldsItsSeverityAndAbove) {
  ::testing::internal::CaptureStderr();
  {
    Logger logger(options(LogLevel::info));
    logger.debug("one");
    logger.info("two");
    logger.warning("three");
    logger.error("four");
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(fs::exists(folder_ / "debug.log"));
  EXPECT_THAT(read_file(folder_ / "info.log"), HasSubstr("two"));
  EXPECT_THAT(read_file(folder_ / "info.log"), HasSubstr("four"));
  EXPECT_THAT(read_file(folder_ / "warning.log"), Not(HasSubstr("two")));
  EXPECT_THAT(read_file(folder_ / "error.log"), HasSubstr("four"));
  EXPECT_THAT(read_file(folder_ / "error.log"), Not(HasSubstr("three")));
}

TEST_F(Log, LinesFromBeforeTheFilesWereOpenedAreWrittenFirst) {
  LogOptions late = options(LogLevel::debug);
  late.directory.clear();
  ::testing::internal::CaptureStderr();
  {
    Logger logger(late);
    logger.info("early");
    EXPECT_FALSE(fs::exists(folder_));
    logger.open_files(folder_);
    logger.info("later");
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(read_file(folder_ / "info.log"), MatchesRegex("[^\n]*early\n[^\n]*later\n"));
}

TEST(LogLevelText, KnowsTheUsualSpellings) {
  EXPECT_EQ(parse_log_level("warn"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("FATAL"), LogLevel::error);
  EXPECT_EQ(parse_log_level("Debug"), LogLevel::debug);
  EXPECT_THROW(parse_log_level("loud"), UserError);
}

}  // namespace
}  // namespace primus
