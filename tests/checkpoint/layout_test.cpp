#include "checkpoint/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/writer.h"
#include "core/error.h"
#include "tests/checkpoint/small_model.h"
#include "tests/temporary_directory.h"

namespace primus::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

TEST(FindCheckpoint, FollowsTheTrackerOrTheGivenIteration) {
  const TemporaryDirectory folder;
  EXPECT_FALSE(find_checkpoint(folder.path()).has_value());
  EXPECT_FALSE(find_checkpoint(folder / "not there").has_value());
  for (const int i : {5, 20}) save(iteration_directory(folder.path(), i), small_model(i), json::object());
  EXPECT_EQ(find_checkpoint(folder.path())->iteration, 20);
  EXPECT_EQ(find_checkpoint(folder.path(), 5)->iteration, 5);
  EXPECT_THAT(
      [&] { find_checkpoint(folder.path(), 7); },
      ThrowsMessage<UserError>(AllOf(HasSubstr("iter_0000007"), HasSubstr("iter_0000005, iter_0000020"))));
  fs::remove(tracker_file(folder.path()));
  EXPECT_EQ(find_checkpoint(folder.path())->iteration, 20);
  EXPECT_THAT(find_checkpoint(folder.path())->note,
              AllOf(HasSubstr("latest_checkpointed_iteration.txt is missing"), HasSubstr("iter_0000020")));
  std::ofstream(tracker_file(folder.path())) << "\n";
  EXPECT_THAT([&] { find_checkpoint(folder.path()); },
              ThrowsMessage<UserError>(
                  AllOf(HasSubstr("is empty"), HasSubstr("remove the file to load the newest"))));
  std::ofstream(tracker_file(folder.path())) << "15";
  EXPECT_THAT(
      [&] { find_checkpoint(folder.path()); },
      ThrowsMessage<UserError>(AllOf(HasSubstr("iter_0000015"), HasSubstr("iter_0000005, iter_0000020"))));
  std::ofstream(tracker_file(folder.path())) << std::string(1000, '\0');
  EXPECT_THAT([&] { find_checkpoint(folder.path()); },
              ThrowsMessage<UserError>(HasSubstr("holds '" + std::string(40, '?') + "...'")));
  std::ofstream(tracker_file(folder.path())) << "twenty";
  EXPECT_THAT([&] { find_checkpoint(folder.path()); }, ThrowsMessage<UserError>(HasSubstr("holds 'twenty'")));
  save(release_directory(folder.path()), small_model(0), json::object());
  EXPECT_TRUE(find_checkpoint(folder.path())->release);
  EXPECT_EQ(find_checkpoint(folder.path())->iteration, 0);
}

TEST(FindCheckpoint, PassesOverDamagedOnesOrNamesTheCompleteOnes) {
  const TemporaryDirectory folder;
  for (const int i : {5, 20, 30}) save(iteration_directory(folder.path(), i), small_model(i), json::object());
  EXPECT_EQ(damage_of(iteration_directory(folder.path(), 30)), "");
  fs::resize_file(shard_file(iteration_directory(folder.path(), 30), 0), 100);
  fs::remove(iteration_directory(folder.path(), 20) / common_file);
  EXPECT_THAT(damage_of(iteration_directory(folder.path(), 30)), HasSubstr("it has 100 bytes"));
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 3);
  EXPECT_THAT([&] { find_checkpoint(folder.path()); },
              ThrowsMessage<UserError>(AllOf(
                  HasSubstr("no complete checkpoint iter_0000030, which latest_checkpointed_iteration.txt"),
                  HasSubstr("it has 100 bytes"), HasSubstr("Complete checkpoints: iter_0000005. Write"))));
  EXPECT_THAT([&] { find_checkpoint(folder.path(), 20); },
              ThrowsMessage<UserError>(HasSubstr("common.json")));
  fs::remove(tracker_file(folder.path()));
  const auto found = find_checkpoint(folder.path());
  EXPECT_EQ(found->iteration, 5);
  EXPECT_THAT(found->note, AllOf(HasSubstr("iter_0000030 is damaged"), HasSubstr("iter_0000020 is damaged")));
  fs::remove(iteration_directory(folder.path(), 5) / index_file);
  EXPECT_THAT([&] { find_checkpoint(folder.path()); },
              ThrowsMessage<UserError>(HasSubstr("contains no complete checkpoint")));
}

TEST(Prune, KeepsMultiplesOfTheInterval) {
  const TemporaryDirectory folder;
  for (const int i : {10, 20}) save(iteration_directory(folder.path(), i), small_model(i), json::object());
  prune(folder.path(), 20, 0);
  prune(folder.path(), 20, 20);
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 2);
  prune(folder.path(), 10, 20);
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 1);
}

}  // namespace
}  // namespace primus::checkpoint
