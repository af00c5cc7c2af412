#include "launch/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "launch/cpus.h"
#include "tests/temporary_directory.h"

namespace primus::launch {
namespace {

using primus::testing::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using Clock = std::chrono::steady_clock;

/// What a supervised run said.
struct Record {
  int code = -1;
  std::vector<std::string> lines;
  std::string messages;
  double seconds = 0;
};

/// Runs `script` in bash as every rank.
Record run(const std::string& script, SupervisorOptions options) {
  Record record;
  options.command = {"bash", "-c", script};
  options.on_line = [&](int rank, bool, std::string_view line) {
    record.lines.push_back(std::to_string(rank) + ": " + std::string(line));
  };
  options.on_message = [&](const std::string& message) { record.messages += message + "\n"; };
  const auto start = Clock::now();
  record.code = supervise(options);
  record.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return record;
}

/// Processes whose command line has the word.
int count_processes(const std::string& word) {
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find(word) != std::string::npos && line.find("launch_tests") == std::string::npos) ++count;
  }
  return count;
}

/// A word that no other process has in its command line.
std::string unique_word() { return "8" + std::to_string(::getpid()) + ".25"; }

bool becomes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

/// Supervises in a process of its own, so that the test can send it signals.
pid_t run_apart(const std::string& script, const SupervisorOptions& options) {
  const pid_t pid = ::fork();
  if (pid == 0) std::_Exit(run(script, options).code);
  return pid;
}

int end_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return exit_code_of(status);
}

TEST(Supervisor, RanksSeeTheirPlaceAndTheirShareOfTheCores) {
  ::unsetenv("OMP_NUM_THREADS");
  SupervisorOptions options{.local_ranks = 2, .nodes = 2, .node = 1, .master_address = "host"};
  options.environment["EXTRA"] = "a b";
  options.master_port = 77;
  options.threads_per_rank = 3;
  const Record record =
      run("echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR $MASTER_PORT $OMP_NUM_THREADS "
          "$EXTRA",
          options);
  EXPECT_EQ(record.code, 0);
  EXPECT_THAT(record.lines, UnorderedElementsAre("2: 2 4 0 2 host 77 3 a b", "3: 3 4 1 2 host 77 3 a b"));
}

TEST(Supervisor, CoresAreSharedUnlessSomebodyHasSaidHowManyThreads) {
  ::unsetenv("OMP_NUM_THREADS");
  const SupervisorOptions options{.local_ranks = 2};
  const std::string share = std::to_string(std::max(1, available_cpus() / 2));
  EXPECT_EQ(command_of_rank(options, 0, 1).environment.at("OMP_NUM_THREADS"), share);
  ::setenv("OMP_NUM_THREADS", "7", 1);
  EXPECT_FALSE(command_of_rank(options, 0, 1).environment.contains("OMP_NUM_THREADS"));
  ::unsetenv("OMP_NUM_THREADS");
}

TEST(Supervisor, ABoundRankUsesAllOfItsCoresAndOthersShareThem) {
  EXPECT_EQ(threads_for_rank(4, 64, 64), 16);
  EXPECT_EQ(threads_for_rank(4, 16, 64), 16);
  EXPECT_EQ(threads_for_rank(4, 2, 2), 1);
  EXPECT_EQ(threads_for_rank(2, 1, 2), 1);
}

TEST(Supervisor, ARankThatFailsEndsAllAndIsNamedWithItsLastLines) {
  const Record record =
      run("if [ $RANK = 1 ]; then echo first; echo 'the reason' >&2; exit 3; fi; trap '' TERM; sleep 100; "
          "sleep 100",
          {.local_ranks = 4});
  EXPECT_EQ(record.code, 3);
  EXPECT_LT(record.seconds, 5);
  EXPECT_THAT(record.messages, AllOf(HasSubstr("rank 1 (pid "), HasSubstr(") exited with code 3 after "),
                                     HasSubstr("last lines of rank 1:\n"), HasSubstr("    the reason\n"),
                                     HasSubstr("    rank 3: has not reported what it is doing")));
}

TEST(Supervisor, ASignalIsNamed) {
  const Record record = run("[ $RANK = 0 ] && kill -9 $$; sleep 100", {.local_ranks = 2});
  EXPECT_EQ(record.code, 128 + SIGKILL);
  EXPECT_LT(record.seconds, 5);
  EXPECT_THAT(record.messages, HasSubstr("was killed by signal 9 (Killed)"));
}

TEST(Supervisor, ProcessesThatRanksLeaveBehindAreKilled) {
  const std::string word = unique_word();
  const Record record = run("setsid sleep " + word + " > /dev/null 2>&1 & echo started", {.local_ranks = 2});
  EXPECT_EQ(record.code, 0);
  EXPECT_EQ(count_processes(word), 0);
}

TEST(Supervisor, ASignalToEndIsPassedOnAndTheRanksEndInTheirOwnWay) {
  const TemporaryDirectory directory;
  const std::string mark = (directory.path() / "saved").string();
  const pid_t pid = run_apart("trap 'touch " + mark + "$RANK; exit 0' TERM; touch " + mark +
                                  "-ready$RANK; while true; do sleep 0.05; done",
                              {.local_ranks = 2});
  const auto there = [&](const std::string& name) { return std::filesystem::exists(mark + name); };
  EXPECT_TRUE(becomes_true([&] { return there("-ready0") && there("-ready1"); }));
  ::kill(pid, SIGINT);
  EXPECT_EQ(end_of(pid), 0);
  EXPECT_TRUE(there("0") && there("1"));
}

TEST(Supervisor, ASecondSignalKillsRanksThatDoNotEnd) {
  const std::string word = unique_word();
  const pid_t pid = run_apart("trap '' TERM; sleep " + word + "; sleep 100", {.local_ranks = 2});
  EXPECT_TRUE(becomes_true([&] { return count_processes("sleep" + std::string(1, '\0') + word) == 2; }));
  ::kill(pid, SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ::kill(pid, SIGTERM);
  EXPECT_EQ(end_of(pid), 128 + SIGKILL);
  EXPECT_EQ(count_processes(word), 0);
}

TEST(Supervisor, TheRanksDieWithASupervisorThatIsKilled) {
  const std::string word = unique_word();
  const pid_t pid = run_apart("exec sleep " + word, {.local_ranks = 3});
  EXPECT_TRUE(becomes_true([&] { return count_processes(word) == 3; }));
  ::kill(pid, SIGKILL);
  end_of(pid);
  EXPECT_TRUE(becomes_true([&] { return count_processes(word) == 0; }));
}

TEST(Supervisor, AHangEndsWithWhatEveryRankWasDoing) {
  SupervisorOptions options{.local_ranks = 2};
  options.hang_timeout = std::chrono::milliseconds(600);
  const Record record = run("[ $RANK = 1 ] && kill -STOP $$; sleep 100", options);
  EXPECT_EQ(record.code, 1);
  EXPECT_LT(record.seconds, 5);
  EXPECT_THAT(record.messages,
              AllOf(HasSubstr("the run hangs: no rank has made progress for 1 s"),
                    HasSubstr("rank 0: has not reported"), HasSubstr("rank 1: is stopped (SIGSTOP)")));
}

TEST(Supervisor, RestartsAsOftenAsAllowed) {
  const std::string script = "echo try $PRIMUS_RESTART_COUNT; [ $PRIMUS_RESTART_COUNT = 2 ]";
  EXPECT_EQ(run(script, {.max_restarts = 2}).code, 0);
  const Record record = run(script, {.max_restarts = 1});
  EXPECT_EQ(record.code, 1);
  EXPECT_THAT(record.lines, ::testing::ElementsAre("0: try 0", "0: try 1"));
  EXPECT_THAT(record.messages, HasSubstr("restart 1 of 1"));
}

TEST(Supervisor, BadInputIsNotTriedAgain) {
  const Record record = run("echo tried; exit 2", {.max_restarts = 5});
  EXPECT_EQ(record.code, 2);
  EXPECT_EQ(record.lines.size(), 1u);
}

TEST(Supervisor, AProgramThatDoesNotExistIsSaid) {
  SupervisorOptions options;
  std::string messages;
  options.command = {"/no/such/program"};
  options.on_message = [&](const std::string& message) { messages += message; };
  EXPECT_EQ(supervise(options), 127);
  EXPECT_THAT(messages, HasSubstr("cannot execute /no/such/program: No such file or directory"));
}

TEST(Supervisor, ALastLineWithoutNewlineIsPassedOn) {
  EXPECT_THAT(run("printf 'a\\nb'; printf c >&2", {}).lines, UnorderedElementsAre("0: a", "0: b", "0: c"));
}

}  // namespace
}  // namespace primus::launch
