#include "launch/status_board.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "core/error.h"

namespace primus::launch {
namespace {

TEST(StatusBoard, AChildsWordsOutliveIt) {
  const StatusBoard board = StatusBoard::create(2);
  const pid_t child = ::fork();
  if (child == 0) {
    StatusBoard mine = StatusBoard::attach(board.descriptor());
    mine.add_progress(1);
    mine.say(1, "in all_reduce");
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  const RankStatus status = board.read(1);
  EXPECT_EQ(status.text, "in all_reduce");
  EXPECT_EQ(status.progress, 1u);
  EXPECT_LT(status.since, std::chrono::seconds(30));
  EXPECT_EQ(board.read(0).text, "");
}

TEST(StatusBoard, LongTextsAreCutAndBlameStays) {
  StatusBoard board = StatusBoard::create(1);
  board.say(0, std::string(1000, 'x'));
  EXPECT_EQ(board.read(0).text, std::string(239, 'x'));
  EXPECT_FALSE(board.read(0).blames_others);
  board.blame_others(0);
  EXPECT_TRUE(board.read(0).blames_others);
}

TEST(StatusBoard, AReaderNeverSeesHalfAText) {
  StatusBoard board = StatusBoard::create(1);
  const std::string a(200, 'a'), b(200, 'b');
  board.say(0, a);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 20000; ++i) board.say(0, i % 2 == 0 ? b : a);
    done = true;
  });
  int torn = 0;
  while (!done) {
    const std::string text = board.read(0).text;
    if (text != a && text != b) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0);
}

TEST(StatusBoard, RefusesWhatIsNoBoard) {
  const StatusBoard board = StatusBoard::create(1);
  EXPECT_THROW(board.read(1), Error);
  EXPECT_THROW(StatusBoard::attach(9999), Error);
}

}  // namespace
}  // namespace primus::launch
