#include "parallel/communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/error.h"
#include "parallel/group.h"
#include "tests/ranks.h"

namespace primus::parallel {
namespace {

using testing::HasSubstr;

const auto nothing = [](const std::shared_ptr<Communicator>&) {};

TEST(Communicator, RanksWithOneFingerprintJoin) {
  RankOptions options{.ranks = 3};
  options.join.fingerprint = "same";
  for (const RankResult& result : run_ranks_to_end(options, nothing)) EXPECT_TRUE(result.passed);
}

TEST(Communicator, EveryRankHearsOfAnotherConfiguration) {
  RankOptions options{.ranks = 3};
  options.adjust = [](launch::World& world, JoinOptions& join) {
    join.fingerprint = world.rank == 2 ? "other" : "same";
  };
  for (const RankResult& result : run_ranks_to_end(options, nothing)) {
    EXPECT_THAT(result.error, HasSubstr("rank 2 on"));
    EXPECT_THAT(result.error, HasSubstr("was started with a different configuration from rank 0"));
  }
}

TEST(Communicator, ContradictingWorldSizesAreRefused) {
  RankOptions options{.ranks = 2};
  options.adjust = [](launch::World& world, JoinOptions&) {
    if (world.rank == 1) world.size = 4;
  };
  const auto results = run_ranks_to_end(options, nothing);
  EXPECT_THAT(results[0].error, HasSubstr("was started for 4 ranks, rank 0 for 2"));
  EXPECT_THAT(results[1].error, HasSubstr("was started for 4 ranks, rank 0 for 2"));
}

TEST(Communicator, ARankThatComesAfterARefusalHearsItToo) {
  RankOptions options{.ranks = 3};
  options.adjust = [](launch::World& world, JoinOptions&) {
    if (world.rank == 1) world.size = 4;
    // Later than the other two would have read the verdict.
    if (world.rank == 2) std::this_thread::sleep_for(std::chrono::seconds(1));
  };
  for (const RankResult& result : run_ranks_to_end(options, nothing))
    EXPECT_THAT(result.error, HasSubstr("was started for 4 ranks, rank 0 for 3"));
}

TEST(Communicator, MissingRanksAreNamed) {
  RankOptions options{.ranks = 2};
  options.join.rendezvous_timeout = std::chrono::seconds(3);
  options.adjust = [](launch::World& world, JoinOptions&) { world.size = 4; };
  for (const RankResult& result : run_ranks_to_end(options, nothing)) {
    EXPECT_THAT(result.error, HasSubstr("2 of 4 ranks did not appear"));
    EXPECT_THAT(result.error, HasSubstr("ranks 2 3"));
  }
}

TEST(Communicator, TwoProcessesWithOneRankAreRefused) {
  RankOptions options{.ranks = 3};
  options.join.rendezvous_timeout = std::chrono::seconds(3);
  options.adjust = [](launch::World& world, JoinOptions&) {
    if (world.rank == 2) world.rank = 1;
  };
  const auto results = run_ranks_to_end(options, nothing);
  const bool named = results[1].error == "two processes were started as rank 1" ||
                     results[2].error == "two processes were started as rank 1";
  EXPECT_TRUE(named);
  EXPECT_FALSE(results[0].passed);
}

TEST(Communicator, ARankThatDiesBeforeItHasConnectedIsMissedByThoseWhoWaitForIt) {
  const auto start = std::chrono::steady_clock::now();
  const auto results = run_ranks_to_end({.ranks = 3}, [](const std::shared_ptr<Communicator>& communicator) {
    if (communicator->world().rank == 1) ::raise(SIGKILL);
    communicator->group("all", all_ranks(3)).barrier();
  });
  // Whoever of the two says it first may take the other with it.
  EXPECT_FALSE(results[0].passed || results[2].passed);
  EXPECT_THAT(results[0].error + results[2].error, HasSubstr("rank 1 has died"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Communicator, ARankThatComesLateIsWaitedFor) {
  run_ranks(2, [](const std::shared_ptr<Communicator>& communicator) {
    if (communicator->world().rank == 1) std::this_thread::sleep_for(std::chrono::seconds(3));
    communicator->group("all", all_ranks(2)).barrier();
  });
}

TEST(Communicator, AnAddressWithoutRouteOrNameIsSaid) {
  EXPECT_EQ(local_address_towards("127.0.0.1"), "127.0.0.1");
  EXPECT_THROW(local_address_towards("no-such-host.invalid"), UserError);
}

}  // namespace
}  // namespace primus::parallel
