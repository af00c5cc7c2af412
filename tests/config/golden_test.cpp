#include "golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/experiment.h"
#include "config/loader.h"

namespace primus::config {

namespace {

using testing::as_json;
using testing::differences;
using testing::GoldenRecord;
using ::testing::IsEmpty;
using testing::read_golden;
using testing::source_directory;

/// The merged tree of an experiment of this source tree, under its relative name.
nlohmann::json merged(const GoldenRecord& record) {
  ResolveRequest request;
  request.module = "";
  request.config = source_directory() / record.input;
  request.config_directories = {source_directory() / "configs"};
  request.environment = environment_of(record.env);
  nlohmann::json tree = as_json(merge_experiment(request).tree);
  EXPECT_EQ(tree["config_file"], request.config.string());
  tree["config_file"] = record.input;
  return tree;
}

TEST(Golden, EveryPresetResolvesToTheOriginalsValues) {
  const std::vector<GoldenRecord> records = read_golden("presets.jsonl");
  ASSERT_EQ(records.size(), 89u);
  for (const GoldenRecord& record : records) {
    const Value tree = load_file(source_directory() / record.id, Layer::model_preset, environment_of({}));
    EXPECT_THAT(differences(record.document, as_json(tree)), IsEmpty()) << record.id;
  }
}

TEST(Golden, EveryExampleMergesToTheOriginalsTree) {
  const std::vector<GoldenRecord> records = read_golden("experiments.jsonl");
  ASSERT_EQ(records.size(), 243u);
  for (const GoldenRecord& record : records)
    EXPECT_THAT(differences(record.document["exp"], merged(record)), IsEmpty()) << record.id;
}

TEST(Golden, OnlyPresetsThatSayBasesDifferFromTheOriginal) {
  std::vector<std::string> names;
  for (const GoldenRecord& record : read_golden("presets.jsonl")) {
    if (record.deviates()) names.push_back(std::filesystem::path(record.id).stem());
  }
  EXPECT_THAT(
      names, ::testing::ElementsAre("mamba_370M", "minimax_m2.5", "zebra_llama_1B", "zebra_llama_1B_kda_pure",
                                    "zebra_llama_300M_mamba_hybrid", "zebra_llama_3B", "zebra_llama_8B"));
}

TEST(Golden, DifferencesTellAnIntegerFromAFloat) {
  const nlohmann::json expected = {{"a", 1}, {"b", {{"c", 1.0}}}, {"d", nullptr}};
  const nlohmann::json actual = {{"a", 1.0}, {"b", {{"c", 1.0}}}, {"e", true}};
  EXPECT_THAT(differences(expected, actual),
              ::testing::ElementsAre("/a: expected 1, got 1.0", "/d: expected null, is missing",
                                     "/e: true is not expected"));
}

}  // namespace

}  // namespace primus::config
