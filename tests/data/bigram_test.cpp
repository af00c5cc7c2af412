#include "data/bigram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/error.h"
#include "tests/data/memory_dataset.h"

namespace primus::data {
namespace {

using testing::MemoryDataset;

/// `count` samples of 101 tokens of a chain that goes on to the next token with `probability`, otherwise to
/// any of the four.
MemoryDataset chain(std::size_t count, double probability, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<std::vector<std::int64_t>> samples(count);
  std::int64_t token = 0;
  for (auto& sample : samples) {
    for (int i = 0; i <= 100; ++i) {
      sample.push_back(token);
      const double draw = uniform(random);
      token = draw < probability ? (token + 1) % 4 : static_cast<std::int64_t>(uniform(random) * 4);
    }
  }
  return MemoryDataset(std::move(samples));
}

TEST(Bigram, ReachesTheEntropyOfAMarkovChain) {
  constexpr double p = 0.7;
  const double likely = p + (1 - p) / 4, other = (1 - p) / 4;
  const double entropy = -likely * std::log(likely) - 3 * other * std::log(other);
  const BigramReport report = bigram_baseline(chain(400, p, 1), chain(200, p, 2), 4);
  EXPECT_NEAR(report.loss, entropy, 0.01);
  EXPECT_NEAR(report.unigram_loss, std::log(4.0), 0.01);
  EXPECT_EQ(report.train_tokens, 40000);
  EXPECT_EQ(report.valid_tokens, 20000);
}

TEST(Bigram, IsNoWorseThanTheUnigramModelWhereContextTellsNothing) {
  const BigramReport report = bigram_baseline(chain(100, 0.0, 3), chain(100, 0.0, 4), 4);
  EXPECT_NEAR(report.loss, report.unigram_loss, 0.002);
}

TEST(Bigram, ATokenNeverSeenInTrainingIsPossible) {
  const MemoryDataset valid({{0, 1, 9, 2}});
  const BigramReport report = bigram_baseline(chain(20, 0.5, 5), valid, 10);
  EXPECT_TRUE(std::isfinite(report.loss));
}

TEST(Bigram, LeavesPaddingOut) {
  const MemoryDataset valid({{0, 1, -1, -1}});
  EXPECT_EQ(bigram_baseline(chain(20, 0.5, 5), valid, 4).valid_tokens, 1);
}

TEST(Bigram, RefusesTooLittleDataAndForeignTokens) {
  EXPECT_THROW(bigram_baseline(chain(9, 0.5, 1), chain(1, 0.5, 1), 4), UserError);
  EXPECT_THROW(bigram_baseline(chain(10, 0.5, 1), chain(1, 0.5, 1), 3), UserError);
}

}  // namespace
}  // namespace primus::data
