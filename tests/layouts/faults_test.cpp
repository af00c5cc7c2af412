// Ranks that really communicate, under the supervisor, and what can go wrong with them.

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "core/error.h"
#include "launch/supervisor.h"
#include "parallel/mesh.h"

namespace primus {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int ranks = 4;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Not a test but what each rank runs: all-reduces like a training loop, until it is told to fail. FAULT is
/// "what:rank", e.g. "throw:2".
TEST(Rank, DISABLED_Runs) {
  at::set_num_threads(1);
  std::printf("pid %d\n", ::getpid());
  std::fflush(stdout);
  try {
    launch::World world = launch::world_from_environment();
    parallel::JoinOptions options;
    options.rendezvous_timeout = std::chrono::seconds(3);
    const std::string fault = variable("FAULT"), mine = ":" + std::to_string(world.rank);
    options.fingerprint = fault == "config" + mine ? "other" : "same";
    if (fault == "size" + mine) world.size = ranks + 1;
    const auto communicator = parallel::Communicator::join(world, options);
    const parallel::Mesh mesh(communicator, {.world = ranks, .tensor = 2});
    for (int iteration = 0;; ++iteration) {
      communicator->heartbeat("iteration " + std::to_string(iteration));
      if (iteration == 3 && fault == "throw" + mine) throw Error("this rank was told to fail");
      if (iteration == 3 && fault == "stop" + mine) ::raise(SIGSTOP);
      if (iteration == 3 && fault == "skip" + mine) std::this_thread::sleep_for(std::chrono::hours(1));
      mesh.tensor().all_reduce(at::zeros({100000}));
      mesh.data().start_all_reduce(at::zeros({1000})).wait();
      std::printf("iteration %d\n", iteration);
      std::fflush(stdout);
    }
  } catch (const UserError& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    std::fflush(nullptr);
    std::_Exit(2);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    std::fflush(nullptr);
    std::_Exit(1);
  }
}

struct Record {
  int code = 0;
  std::string messages;
  double seconds_after_fault = 0;
  std::map<int, pid_t> pids;
};

using Clock = std::chrono::steady_clock;

/// Runs the ranks; `on_line` sees their lines and the record so far.
Record supervise_ranks(launch::SupervisorOptions options, const std::string& fault,
                       const std::function<void(Record&, int rank, std::string_view line)>& on_line = {}) {
  Record record;
  options.local_ranks = ranks;
  options.threads_per_rank = 1;
  options.environment["FAULT"] = fault;
  options.command = {launch::this_program(), "--gtest_filter=Rank.DISABLED_Runs",
                     "--gtest_also_run_disabled_tests"};
  options.on_line = [&](int rank, bool, std::string_view line) {
    if (line.starts_with("pid ")) record.pids[rank] = std::stoi(std::string(line.substr(4)));
    if (on_line) on_line(record, rank, line);
  };
  options.on_message = [&](const std::string& message) { record.messages += message + "\n"; };
  record.code = launch::supervise(options);
  for (const auto& [rank, pid] : record.pids) {
    EXPECT_NE(::kill(pid, 0), 0) << "rank " << rank << " is still there";
  }
  return record;
}

TEST(Faults, AKilledRankEndsAllWithinFiveSecondsWheneverItDies) {
  std::mt19937 random(4);
  for (int trial = 0; trial < 30; ++trial) {
    const int victim = static_cast<int>(random() % ranks);
    // From the first line on, before the ranks have met, to the middle of the run.
    const std::string moment = trial % 5 == 0 ? "pid " : "iteration " + std::to_string(random() % 40);
    bool killed = false;
    Clock::time_point at;
    const Record record = supervise_ranks({}, "", [&](Record& so_far, int rank, std::string_view line) {
      if (killed || rank != victim || !line.starts_with(moment)) return;
      killed = true;
      at = Clock::now();
      ::kill(so_far.pids[rank], SIGKILL);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - at).count();
    EXPECT_LT(seconds, 5) << moment << "\n" << record.messages;
    EXPECT_NE(record.code, 0);
    EXPECT_THAT(record.messages, HasSubstr("rank "));
    EXPECT_THAT(record.messages, HasSubstr("was killed by signal 9 (Killed)")) << moment;
  }
}

TEST(Faults, ARankThatThrowsIsTheOneThatIsNamed) {
  const Record record = supervise_ranks({}, "throw:2");
  EXPECT_EQ(record.code, 1);
  EXPECT_THAT(record.messages,
              AllOf(HasSubstr("rank 2 (pid "), HasSubstr("error: this rank was told to fail"),
                    HasSubstr("    rank 0: "), HasSubstr("iteration 3")));
}

TEST(Faults, AStoppedRankIsFoundByTheHangTimeOut) {
  launch::SupervisorOptions options;
  options.hang_timeout = std::chrono::seconds(10);
  const Record record = supervise_ranks(options, "stop:1");
  EXPECT_NE(record.code, 0);
  EXPECT_THAT(record.messages,
              AllOf(HasSubstr("the run hangs"), HasSubstr("rank 1: is stopped (SIGSTOP)"),
                    HasSubstr("rank 0: all_reduce of 400000 bytes in group tp (ranks 0 1)")));
}

TEST(Faults, ARankThatIsElsewhereIsFoundByWhatTheOthersWaitFor) {
  launch::SupervisorOptions options;
  options.hang_timeout = std::chrono::seconds(10);
  const Record record = supervise_ranks(options, "skip:3");
  EXPECT_NE(record.code, 0);
  EXPECT_THAT(record.messages, AllOf(HasSubstr("rank 2: all_reduce of 400000 bytes in group tp (ranks 2 3)"),
                                     HasSubstr("rank 3: iteration 3 (for")));
}

TEST(Faults, AnotherConfigurationOrWorldSizeIsBadInput) {
  const Record config = supervise_ranks({}, "config:3");
  EXPECT_EQ(config.code, 2);
  EXPECT_THAT(config.messages, HasSubstr("rank 3 on"));
  EXPECT_THAT(config.messages, HasSubstr("was started with a different configuration from rank 0"));
  const Record size = supervise_ranks({}, "size:1");
  EXPECT_EQ(size.code, 2);
  EXPECT_THAT(size.messages, HasSubstr("was started for 5 ranks, rank 0 for 4"));
}

TEST(Faults, APortInUseIsSaid) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  launch::SupervisorOptions options;
  options.master_port = ntohs(address.sin_port);
  const Record record = supervise_ranks(options, "");
  ::close(listener);
  EXPECT_EQ(record.code, 2);
  EXPECT_THAT(record.messages, HasSubstr("is in use on this machine: choose another MASTER_PORT"));
}

}  // namespace
}  // namespace primus
