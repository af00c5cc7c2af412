#include "data/random.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/data/fixture.h"

namespace primus::data {
namespace {

TEST(DataRandom, ShufflesLikeNumpy) {
  const auto all = testing::megatron();
  ASSERT_FALSE(all["numpy_shuffle"].empty());
  for (const auto& given : all["numpy_shuffle"]) {
    std::vector<int> values(given["values"].size());
    std::iota(values.begin(), values.end(), 0);
    NumpyRandomState(given["seed"].get<std::uint32_t>()).shuffle(std::span(values));
    EXPECT_EQ(values, given["values"].get<std::vector<int>>()) << "seed " << given["seed"];
  }
}

TEST(DataRandom, PermutesLikeTorch) {
  const auto all = testing::megatron();
  ASSERT_FALSE(all["randperm"].empty());
  for (const auto& given : all["randperm"]) {
    const auto expected = given["values"].get<std::vector<std::int64_t>>();
    EXPECT_EQ(torch_randperm(static_cast<std::int64_t>(expected.size()), given["seed"]), expected);
  }
}

TEST(DataRandom, DrawsTheLengthsOfMockDocumentsLikeNumpy) {
  const auto given = testing::megatron()["mock_lengths"];
  const std::vector<std::int32_t> lengths = numpy_integers(0, 1, 4096, 100000);
  EXPECT_EQ(std::vector(lengths.begin(), lengths.begin() + 10),
            given["first"].get<std::vector<std::int32_t>>());
  EXPECT_EQ(std::vector(lengths.end() - 3, lengths.end()), given["last"].get<std::vector<std::int32_t>>());
  EXPECT_EQ(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}),
            given["sum"].get<std::int64_t>());
}

}  // namespace
}  // namespace primus::data
