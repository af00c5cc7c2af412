#include "data/loader.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/data/memory_dataset.h"

namespace primus::data {
namespace {

testing::MemoryDataset numbered(std::int64_t count) {
  std::vector<std::vector<std::int64_t>> samples;
  for (std::int64_t i = 0; i < count; ++i) samples.push_back({i, i + 1, i + 2});
  return testing::MemoryDataset(std::move(samples));
}

std::unique_ptr<Sampler> sampler(const std::string& type, std::int64_t total) {
  SamplerOptions options;
  options.total_samples = total;
  options.micro_batch_size = 2;
  return make_sampler(type, options);
}

TEST(DataLoader, GivesTheSameBatchesWithAndWithoutAThread) {
  const auto dataset = numbered(9);
  const BatchOptions options{.vocab_size = 100};
  DataLoader direct(dataset, sampler("cyclic", 9), options, 0),
      ahead(dataset, sampler("cyclic", 9), options, 3);
  for (int i = 0; i < 50; ++i) {
    const Batch expected = direct.next(), batch = ahead.next();
    ASSERT_EQ(batch.samples, expected.samples);
    ASSERT_EQ(batch.tokens, expected.tokens);
    ASSERT_EQ(batch.labels, expected.labels);
  }
}

TEST(DataLoader, PassesWhatFailsToTheReaderAfterTheGoodBatches) {
  const auto dataset = numbered(5);
  DataLoader loader(dataset, sampler("single", 5), {.vocab_size = 100}, 4);
  EXPECT_EQ(loader.next().tokens, (std::vector<std::int64_t>{0, 1, 1, 2}));
  EXPECT_EQ(loader.next().labels, (std::vector<std::int64_t>{3, 4, 4, 5}));
  EXPECT_THROW(loader.next(), UserError);
  EXPECT_THROW(loader.next(), UserError);
}

TEST(DataLoader, EndsWhileItsThreadWaits) {
  const auto dataset = numbered(100);
  for (int i = 0; i < 20; ++i) DataLoader(dataset, sampler("cyclic", 100), {.vocab_size = 200}, 2).next();
}

}  // namespace
}  // namespace primus::data
