#include "data/sampler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "core/error.h"
#include "data/random.h"
#include "tests/data/fixture.h"

namespace primus::data {
namespace {

using Numbers = std::vector<std::int64_t>;

SamplerOptions options(std::int64_t total, std::int64_t consumed, std::int64_t micro_batch, std::int64_t rank,
                       std::int64_t ranks) {
  return {total, consumed, micro_batch, rank, ranks, true};
}

TEST(Sampler, SingleGivesEachRankItsPartInOrder) {
  const auto first = make_sampler("single", options(11, 0, 2, 0, 2));
  const auto second = make_sampler("single", options(11, 0, 2, 1, 2));
  EXPECT_EQ(first->next(), (Numbers{0, 1}));
  EXPECT_EQ(second->next(), (Numbers{2, 3}));
  EXPECT_EQ(first->next(), (Numbers{4, 5}));
  EXPECT_THROW(first->next(), UserError);
}

TEST(Sampler, CyclicPermutesEachRanksBucketWithTheEpochAsSeed) {
  const auto sampler = make_sampler("cyclic", options(11, 0, 2, 1, 2));
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const Numbers order = torch_randperm(4, epoch);
    EXPECT_EQ(sampler->next(), (Numbers{4 + order[0], 4 + order[1]}));
    EXPECT_EQ(sampler->next(), (Numbers{4 + order[2], 4 + order[3]}));
  }
}

TEST(Sampler, CyclicWithoutShardingDealsOnePermutationOut) {
  SamplerOptions both = options(9, 0, 2, 0, 2);
  both.data_sharding = false;
  const auto first = make_sampler("cyclic", both);
  both.data_parallel_rank = 1;
  const auto second = make_sampler("cyclic", both);
  const Numbers order = torch_randperm(8, 0);
  EXPECT_EQ(first->next(), (Numbers{order[0], order[2]}));
  EXPECT_EQ(second->next(), (Numbers{order[1], order[3]}));
  EXPECT_EQ(first->next(), (Numbers{order[4], order[6]}));
}

TEST(Sampler, CyclicDrawsWhatMegatronDrawsOverSeveralEpochsAndWhereverItIsResumed) {
  const nlohmann::json cases = testing::samplers();
  ASSERT_FALSE(cases.empty());
  for (const nlohmann::json& given : cases) {
    SamplerOptions at_start = options(given["total"], 0, given["micro_batch"], given["rank"], given["ranks"]);
    at_start.data_sharding = given["data_sharding"];
    const auto batches = given["batches"].get<std::vector<Numbers>>();
    for (std::size_t done = 0; done < batches.size(); done += 3) {
      SamplerOptions resumed = at_start;
      resumed.consumed_samples =
          static_cast<std::int64_t>(done) * resumed.micro_batch_size * resumed.data_parallel_size;
      const auto sampler = make_sampler("cyclic", resumed);
      for (std::size_t i = done; i < batches.size(); ++i)
        ASSERT_EQ(sampler->next(), batches[i]) << given << " resumed at " << done << ", batch " << i;
    }
  }
}

RC_GTEST_PROP(Sampler, ResumedInTheMiddleGoesOnAlike, ()) {
  const auto micro_batch = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto ranks = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto rank = *rc::gen::inRange<std::int64_t>(0, ranks);
  const auto total = *rc::gen::inRange<std::int64_t>(micro_batch * ranks, 100);
  const auto steps = *rc::gen::inRange<std::int64_t>(0, 60);
  const auto whole = make_sampler("cyclic", options(total, 0, micro_batch, rank, ranks));
  for (std::int64_t i = 0; i < steps; ++i) whole->next();
  const auto resumed =
      make_sampler("cyclic", options(total, steps * micro_batch * ranks, micro_batch, rank, ranks));
  for (int i = 0; i < 5; ++i) RC_ASSERT(whole->next() == resumed->next());
}

RC_GTEST_PROP(Sampler, CyclicGivesEverySampleAtMostOncePerEpoch, ()) {
  const auto micro_batch = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto ranks = *rc::gen::inRange<std::int64_t>(1, 4);
  const std::int64_t step = micro_batch * ranks;
  const auto total = *rc::gen::inRange<std::int64_t>(step, 100);
  std::set<std::int64_t> seen;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const auto sampler = make_sampler("cyclic", options(total, 0, micro_batch, rank, ranks));
    for (std::int64_t i = 0; i < total / step; ++i) {
      for (const std::int64_t sample : sampler->next()) {
        RC_ASSERT(sample < total);
        RC_ASSERT(seen.insert(sample).second);
      }
    }
  }
  RC_ASSERT(static_cast<std::int64_t>(seen.size()) == total - total % step);
}

TEST(Sampler, RefusesWhatCannotBe) {
  EXPECT_THROW(make_sampler("external", options(10, 0, 1, 0, 1)), UserError);
  EXPECT_THROW(make_sampler("single", options(0, 0, 1, 0, 1)), UserError);
  EXPECT_THROW(make_sampler("cyclic", options(3, 0, 2, 0, 2)), UserError);
  EXPECT_THROW(make_sampler("cyclic", options(20, 3, 2, 0, 1)), UserError);
}

}  // namespace
}  // namespace primus::data
