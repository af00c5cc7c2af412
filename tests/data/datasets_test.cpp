#include "data/datasets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "data/batch.h"
#include "data/blended_dataset.h"
#include "data/gpt_dataset.h"
#include "data/indexed_writer.h"
#include "tests/data/fixture.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::data {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Numbers = std::vector<std::int64_t>;

Numbers values(const IndexArray& array) {
  Numbers result;
  for (std::int64_t i = 0; i < array.size(); ++i) result.push_back(array[i]);
  return result;
}

std::optional<std::int64_t> size_from(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<std::int64_t>());
}

std::unique_ptr<Dataset>& part_of(Datasets& datasets, const std::string& part) {
  return part == "train" ? datasets.train : part == "valid" ? datasets.valid : datasets.test;
}

DataConfig letters() {
  DataConfig config;
  config.data_path.items = {testing::fixture("letters")};
  config.split = "95,5,0";
  config.seq_length = 16;
  return config;
}

void expect_samples(const Dataset& dataset, const json& samples, const BatchOptions& options) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Batch batch = make_batch(dataset, Numbers{static_cast<std::int64_t>(i)}, options);
    EXPECT_EQ(batch.tokens, samples[i]["tokens"].get<Numbers>());
    EXPECT_EQ(batch.labels, samples[i]["labels"].get<Numbers>());
    EXPECT_EQ(batch.loss_mask, samples[i]["loss_mask"].get<std::vector<float>>());
    EXPECT_EQ(batch.position_ids, samples[i]["position_ids"].get<Numbers>());
  }
}

TEST(GptDataset, HasTheIndicesAndSamplesOfMegatron) {
  const auto all = testing::megatron();
  ASSERT_FALSE(all["gpt"].empty());
  for (const json& given : all["gpt"]) {
    SCOPED_TRACE(given["split"].dump() + given["part"].dump() + given["options"].dump());
    const json& options = given["options"];
    DataConfig config = letters();
    config.split = given["split"];
    config.seq_length = options.value("sequence_length", 16);
    config.seed = options.value("random_seed", 1234);
    config.drop_last_partial_validation_sequence =
        options.value("drop_last_partial_validation_sequence", true);
    const auto wanted = size_from(given["wanted"]);
    const std::string part = given["part"];
    SplitSizes sizes{0, 0, 0};
    (part == "train" ? sizes.train : part == "valid" ? sizes.valid : sizes.test) = wanted;
    Datasets datasets = build_datasets(config, sizes);
    const auto& dataset = dynamic_cast<const GptDataset&>(*part_of(datasets, part));
    EXPECT_EQ(dataset.size(), given["size"]);
    EXPECT_EQ(values(dataset.indices().document), given["document"].get<Numbers>());
    EXPECT_EQ(values(dataset.indices().sample), given["sample"].get<Numbers>());
    EXPECT_EQ(values(dataset.indices().shuffle), given["shuffle"].get<Numbers>());
    BatchOptions batch{.vocab_size = 1000};
    batch.eod = 0;
    batch.eod_mask_loss = options.value("eod_mask_loss", false);
    batch.reset_position_ids = options.value("reset_position_ids", false);
    expect_samples(dataset, given["samples"], batch);
  }
}

TEST(BlendedDataset, DrawsWhatMegatronDraws) {
  const auto all = testing::megatron();
  ASSERT_FALSE(all["blend"].empty());
  for (const json& given : all["blend"]) {
    SCOPED_TRACE(given["items"].dump() + given["part"].dump());
    DataConfig config = letters();
    config.split = "80,20,0";
    config.data_path.items.clear();
    for (const std::string item : given["items"])
      config.data_path.items.push_back(item == "letters" || item == "digits" ? testing::fixture(item) : item);
    Datasets datasets = build_datasets(
        config, {given["sizes"][0].get<std::int64_t>(), given["sizes"][1].get<std::int64_t>(), 0});
    const auto& dataset = dynamic_cast<const BlendedDataset&>(*part_of(datasets, given["part"]));
    EXPECT_EQ(dataset.index().dataset, given["dataset"].get<std::vector<std::int16_t>>());
    EXPECT_EQ(dataset.index().sample, given["sample"].get<Numbers>());
    for (std::size_t i = 0; i < given["tokens"].size(); ++i) {
      const Batch batch = make_batch(dataset, Numbers{static_cast<std::int64_t>(i)}, {.vocab_size = 1000});
      EXPECT_EQ(batch.tokens, given["tokens"][i].get<Numbers>());
    }
  }
}

TEST(BlendedDataset, CanTakeEverySampleOnce) {
  const auto all = testing::megatron();
  ASSERT_FALSE(all["exhaustive_blend"].empty());
  for (const json& given : all["exhaustive_blend"]) {
    const BlendIndex index = build_exhaustive_blend_index(given["sizes"].get<Numbers>());
    EXPECT_EQ(index.dataset, given["dataset"].get<std::vector<std::int16_t>>());
    EXPECT_EQ(index.sample, given["sample"].get<Numbers>());
  }
}

TEST(Datasets, MockDataIsMegatrons) {
  const json given = testing::megatron()["mock"];
  DataConfig config;
  config.mock_data = true;
  config.seq_length = 64;
  config.vocab_size = 1000;
  config.eod = 0;
  Datasets datasets = build_datasets(config, {20, 5, 5});
  BatchOptions batch{.vocab_size = 1000};
  for (const std::string part : {"train", "valid", "test"}) {
    SCOPED_TRACE(part);
    expect_samples(*part_of(datasets, part), given[part], batch);
  }
}

TEST(Datasets, TheCacheGivesTheSameDataset) {
  const primus::testing::TemporaryDirectory directory;
  DataConfig config = letters();
  config.data_cache_path = directory.path() / "cache";
  const auto shuffle = [&] {
    const Datasets datasets = build_datasets(config, {50, 0, 0});
    return values(dynamic_cast<const GptDataset&>(*datasets.train).indices().shuffle);
  };
  const Numbers built = shuffle();
  std::filesystem::path cached;
  for (const auto& entry : std::filesystem::directory_iterator(config.data_cache_path)) {
    if (entry.path().string().ends_with("shuffle_index.npy")) cached = entry.path();
  }
  ASSERT_FALSE(cached.empty());
  EXPECT_EQ(shuffle(), built);
  // The cache is really read: a changed one shows.
  std::vector<std::uint32_t> reversed(built.rbegin(), built.rend());
  IndexArray(reversed).save(cached);
  EXPECT_EQ(shuffle(), Numbers(built.rbegin(), built.rend()));
  // A damaged one is built anew.
  std::filesystem::resize_file(cached, 70);
  EXPECT_EQ(shuffle(), built);
}

TEST(Datasets, SplitsMayHavePathsOfTheirOwn) {
  DataConfig config;
  config.seq_length = 16;
  config.train_data_path.items = {testing::fixture("letters")};
  config.valid_data_path.items = {testing::fixture("digits")};
  const Datasets datasets = build_datasets(config, {10, 4, 0});
  EXPECT_THAT(datasets.train->description(), HasSubstr("letters"));
  EXPECT_THAT(datasets.valid->description(), HasSubstr("digits"));
  EXPECT_EQ(datasets.test, nullptr);
}

TEST(Datasets, WhatIsWrongWithAPathIsSaidWhereItWasSet) {
  const primus::testing::TemporaryDirectory directory;
  const std::string empty = (directory / "empty").string();
  IndexedDatasetWriter writer(empty, TokenType::uint16);
  writer.end_document();
  writer.finish();
  const auto refusal_of = [](std::vector<std::string> items, bool split_at_blanks) {
    DataConfig config = letters();
    config.data_path = {std::move(items), {"exp.yaml", 7}, split_at_blanks};
    return primus::testing::message_of([&] { build_datasets(config, {1, 1, 0}); });
  };
  EXPECT_EQ(refusal_of({empty}, false),
            "exp.yaml:7: dataset " + empty + " has no tokens: its 1 documents are empty");
  EXPECT_EQ(refusal_of({"1", "/none"}, true), "exp.yaml:7: dataset file /none.idx does not exist");
  EXPECT_THAT(refusal_of({"/none", "here"}, true),
              HasSubstr("/none.idx does not exist (a string is split at spaces"));
  EXPECT_THAT(refusal_of({"/none here"}, false),
              HasSubstr("/none here.idx does not exist (a string is split"));
  EXPECT_THAT(refusal_of({"1", "a", "b"}, true),
              HasSubstr("exp.yaml:7: \"1 a b\": found 1 where a path is expected"));
}

TEST(Datasets, ContradictionsAndGapsAreNamed) {
  DataConfig config = letters();
  config.mock_data = true;
  EXPECT_THROW(build_datasets(config, {1, 1, 1}), UserError);
  EXPECT_THAT([] { build_datasets({}, {1, 1, 1}); }, ThrowsMessage<UserError>(HasSubstr("no data")));
  config = letters();
  config.seq_length = 5000;
  EXPECT_THAT([&] { build_datasets(config, {std::nullopt, 0, 0}); },
              ThrowsMessage<UserError>(HasSubstr("too few")));
  config = letters();
  config.split = "1000,1,0";
  EXPECT_THAT([&] { build_datasets(config, {1, 1, 0}); },
              ThrowsMessage<UserError>(HasSubstr("the valid split of")));
}

TEST(Datasets, SizesAreMegatrons) {
  const SplitSizes sizes = split_sizes(16000, 1000, 300, 10, 16);
  EXPECT_EQ(sizes.train, 16000);
  EXPECT_EQ(sizes.valid, 4 * 10 * 16);
  EXPECT_EQ(sizes.test, 160);
}

TEST(Batch, NamesATokenOutsideOfTheVocabulary) {
  const Datasets datasets = build_datasets(letters(), {10, 0, 0});
  EXPECT_THAT([&] { make_batch(*datasets.train, Numbers{0, 1, 2}, {.vocab_size = 50}); },
              ThrowsMessage<UserError>(HasSubstr("the vocabulary has 50 entries")));
}

TEST(Batch, AttentionStopsAtDocuments) {
  const Datasets datasets = build_datasets(letters(), {10, 0, 0});
  BatchOptions options{.vocab_size = 1000};
  options.eod = 0;
  options.reset_attention_mask = options.reset_position_ids = true;
  const Batch batch = make_batch(*datasets.train, Numbers{0, 1, 2, 3, 4, 5}, options);
  ASSERT_EQ(batch.document_starts.size(), 6u);
  std::size_t starts = 0;
  for (std::size_t row = 0; row < 6; ++row) {
    Numbers expected = {0};
    for (std::int64_t i = 0; i + 1 < 16; ++i) {
      if (batch.tokens[row * 16 + static_cast<std::size_t>(i)] == 0) expected.push_back(i + 1);
    }
    EXPECT_EQ(batch.document_starts[row], expected);
    for (const std::int64_t start : expected)
      EXPECT_EQ(batch.position_ids[row * 16 + static_cast<std::size_t>(start)], 0);
    starts += expected.size();
  }
  EXPECT_GT(starts, 6u);
  options.eod = -1;
  EXPECT_THROW(make_batch(*datasets.train, Numbers{0}, options), UserError);
}

}  // namespace
}  // namespace primus::data
