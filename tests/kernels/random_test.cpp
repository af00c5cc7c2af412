#include "kernels/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace primus::kernels {
namespace {

TEST(Random, PhiloxAnswersTheKnownVectorsOfRandom123) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, NormalNumbersHaveMeanZeroAndVarianceOne) {
  const RandomStream stream(1234, "embedding.word_embeddings.weight");
  constexpr int count = 200000;
  double sum = 0, sum_of_squares = 0, sum_of_fourths = 0;
  for (int i = 0; i < count; ++i) {
    const double x = normal_at(stream, i);
    sum += x;
    sum_of_squares += x * x;
    sum_of_fourths += x * x * x * x;
  }
  EXPECT_NEAR(sum / count, 0.0, 0.01);
  EXPECT_NEAR(sum_of_squares / count, 1.0, 0.015);
  EXPECT_NEAR(sum_of_fourths / count, 3.0, 0.1);
}

TEST(Random, NormalNumbersAreBoxAndMullersOfPhilox) {
  const RandomStream stream(99, "w");
  const auto unit = [](std::uint32_t high, std::uint32_t low) {
    return static_cast<double>((static_cast<std::uint64_t>(high) << 32 | low) >> 11) * 0x1.0p-53;
  };
  for (std::uint64_t pair = 0; pair < 5000; ++pair) {
    const auto words = philox(stream.key, pair, 0);
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(words[0], words[1])));
    const double angle = 2.0 * std::numbers::pi * unit(words[2], words[3]);
    EXPECT_NEAR(normal_at(stream, 2 * pair), radius * std::cos(angle), 1e-14);
    EXPECT_NEAR(normal_at(stream, 2 * pair + 1), radius * std::sin(angle), 1e-14);
  }
}

TEST(Random, FillingARunGivesTheNumbersOfItsIndices) {
  const RandomStream stream(5, "w");
  for (const std::uint64_t first : {0U, 3U}) {
    std::vector<float> run(first == 0 ? 6 : 20001);  // short, and long enough for several threads
    fill_normal(stream, first, 0.5, run);
    for (std::size_t i = 0; i < run.size(); ++i) {
      EXPECT_EQ(run[i], static_cast<float>(0.5 * normal_at(stream, first + i)));
    }
  }
}

TEST(Random, StreamsDifferBySeedAndName) {
  EXPECT_NE(normal_at({1, "a"}, 0), normal_at({1, "b"}, 0));
  EXPECT_NE(normal_at({1, "a"}, 0), normal_at({2, "a"}, 0));
  EXPECT_EQ(normal_at({1, "a"}, 7), normal_at({1, "a"}, 7));
}

TEST(Random, UniformNumbersFillTheUnitInterval) {
  const RandomStream stream(7, "dropout");
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = uniform_at(stream, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

}  // namespace
}  // namespace primus::kernels
