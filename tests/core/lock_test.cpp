#include "core/lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/error.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;

constexpr Lock::Options at_once = {.patience = std::chrono::milliseconds(0)};
constexpr Lock::Options shared_at_once = {.mode = Lock::Mode::shared,
                                          .patience = std::chrono::milliseconds(0)};

std::string refusal(const fs::path& path, const Lock::Options& options = at_once) {
  return message_of([&] { const Lock lock(path, options); });
}

/// A child process that holds the lock until it is killed.
pid_t start_holder(const fs::path& path) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Lock lock(path);
    EXPECT_EQ(::write(ready[1], "x", 1), 1);
    for (;;) ::pause();
  }
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return child;
}

void kill_holder(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Lock, TheSecondIsRefusedAndLearnsWhoTheFirstIs) {
  const TemporaryDirectory folder;
  const fs::path path = folder / "run" / Lock::file_name;
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const pid_t holder = start_holder(path);
  EXPECT_THAT(refusal(path), AllOf(HasSubstr((folder / "run").string() + " is in use by"),
                                   HasSubstr(fmt::format("process {} on {}, since 20", holder, host))));
  kill_holder(holder);
}

TEST(Lock, AKilledHolderLetsGo) {
  const TemporaryDirectory folder;
  const fs::path path = folder / Lock::file_name;
  const pid_t holder = start_holder(path);
  std::thread killer([holder] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    kill_holder(holder);
  });
  EXPECT_TRUE(Lock(path).held());  // within its patience
  killer.join();
}

TEST(Lock, NothingIsLeftBehindButWhatOthersHavePutThere) {
  const TemporaryDirectory folder;
  {
    const Lock lock(folder / "a" / "b" / Lock::file_name);
  }
  EXPECT_FALSE(fs::exists(folder / "a"));
  {
    const Lock lock(folder / "a" / "b" / Lock::file_name);
    write_file_atomically(folder / "a" / "kept", "");
  }
  EXPECT_TRUE(fs::exists(folder / "a" / "kept"));
  EXPECT_FALSE(fs::exists(folder / "a" / "b"));
}

TEST(Lock, ALockOnFilesOfAPrefixNamesThePrefix) {
  const TemporaryDirectory folder;
  const Lock lock(folder / "corpus.v1.lock");
  EXPECT_THAT(refusal(folder / "corpus.v1.lock"), HasSubstr((folder / "corpus.v1 is in use").string()));
}

TEST(Lock, SharedHoldersTogetherKeepOthersOut) {
  const TemporaryDirectory folder;
  const fs::path path = folder / Lock::file_name;
  auto first = std::make_unique<Lock>(path);
  EXPECT_THAT(refusal(path, shared_at_once), HasSubstr("in use"));
  first->share();
  auto second = std::make_unique<Lock>(path, shared_at_once);
  EXPECT_THAT(refusal(path), HasSubstr("in use"));
  first.reset();
  EXPECT_THAT(refusal(path), HasSubstr("in use by process"));
  second.reset();
  EXPECT_EQ(refusal(path), "accepted");
  EXPECT_FALSE(fs::exists(path));
}

TEST(Lock, OneOfManyWhoComeAtOnceGetsIt) {
  const TemporaryDirectory folder;
  const fs::path path = folder / "run" / Lock::file_name;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> inside = 0, most = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const Lock lock(path, {.patience = std::chrono::seconds(60)});
        most = std::max<int>(most, ++inside);
        --inside;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(most, 1);
  }
}

TEST(Lock, AFolderThatCannotBeWrittenIsNamed) {
  EXPECT_THAT(refusal("/proc/primus.lock"), HasSubstr("/proc/primus.lock"));
}

}  // namespace
}  // namespace primus
