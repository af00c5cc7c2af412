#include "data/data_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "config/arguments.h"
#include "core/error.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"
#include "tokenizer/simple_tokenizers.h"
#include "tokenizer/tokenizer_arguments.h"

namespace primus::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

config::Arguments arguments_from(const std::string& yaml) {
  return config::Arguments::from_yaml(
      "{num_layers: 2, hidden_size: 32, num_attention_heads: 4, max_position_embeddings: 32, lr: 0.1, "
      "micro_batch_size: 2, seq_length: 32, " +
      yaml + "}");
}

DataConfig config_from(const std::string& yaml) {
  return data_config_from(arguments_from(yaml), tokenizer::NullTokenizer(100));
}

TEST(DataArguments, MockDataNeedsNoPaths) {
  const DataConfig config = config_from("mock_data: true, data_path: a b");
  EXPECT_TRUE(config.data_path.empty());
  EXPECT_EQ(config.vocab_size, 101);
  EXPECT_EQ(config.eod, 100);
  EXPECT_THAT(config_from("data_path: 0.3 a 0.7 b").data_path.items, ElementsAre("0.3", "a", "0.7", "b"));
}

TEST(DataArguments, PathsCanStandInFiles) {
  const primus::testing::TemporaryDirectory directory;
  std::ofstream(directory / "blend") << "0.3 a\n0.7 b\n";
  std::ofstream(directory / "splits.json") << R"({"train": ["1", "a", 2, "b"], "valid": "c", "test": null})";
  EXPECT_THAT(config_from("data_args_path: " + (directory / "blend").string()).data_path.items,
              ElementsAre("0.3", "a", "0.7", "b"));
  const DataConfig config = config_from("per_split_data_args_path: " + (directory / "splits.json").string());
  EXPECT_THAT(config.train_data_path.items, ElementsAre("1", "a", "2", "b"));
  EXPECT_THAT(config.valid_data_path.items, ElementsAre("c"));
  EXPECT_TRUE(config.test_data_path.empty());
  EXPECT_EQ(config.train_data_path.where, (Where{(directory / "splits.json").string(), 0}));
}

TEST(DataArguments, FilesWithPathsAreRefusedWhereTheyWereNamed) {
  const primus::testing::TemporaryDirectory directory;
  const std::string file = (directory / "splits.json").string();
  const auto refusal_of = [&](const std::string& content) {
    std::ofstream(file) << content;
    return primus::testing::message_of([&] { config_from("per_split_data_args_path: " + file); });
  };
  EXPECT_EQ(refusal_of("{"), "arguments:1: " + file + ":1: this JSON ends before it is complete");
  EXPECT_EQ(refusal_of("[]"),
            "arguments:1: " + file + " (per_split_data_args_path) does not hold a JSON object");
  EXPECT_THAT(refusal_of(R"({"train": "a", "validation": "b"})"), HasSubstr("has the key \"validation\""));
  EXPECT_THAT(refusal_of(R"({"train": [["a"]]})"), HasSubstr("\"train\" must be a text, or a list"));
  EXPECT_THAT(refusal_of(R"({"valid": 7})"), HasSubstr("\"valid\" must be a text, or a list"));
  EXPECT_THAT(refusal_of("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("is a Git LFS pointer"));
  EXPECT_THAT(primus::testing::message_of([] { config_from("data_args_path: /none"); }),
              HasSubstr("arguments:1: cannot read /none"));
}

TEST(DataArguments, SizesFollowTheLengthOfTheRun) {
  const SplitSizes sizes = split_sizes_from(
      arguments_from("train_iters: 10, global_batch_size: 8, eval_interval: 4, eval_iters: 2"), 1);
  EXPECT_EQ(sizes.train, 80);
  EXPECT_EQ(sizes.valid, 48);
  EXPECT_EQ(split_sizes_from(arguments_from("train_iters: 10, global_batch_size: null"), 3).train, 60);
  EXPECT_EQ(split_sizes_from(arguments_from("train_iters: 10, full_validation: true"), 1).valid,
            std::nullopt);
  EXPECT_THROW(split_sizes_from(arguments_from("train_iters: null"), 1), UserError);
}

TEST(DataArguments, MasksNeedAnEndOfDocument) {
  const tokenizer::NullTokenizer tokenizer(100);
  EXPECT_EQ(batch_options_from(arguments_from("eod_mask_loss: true"), tokenizer).eod, 100);
  EXPECT_EQ(batch_options_from(arguments_from("seed: 1"), tokenizer).vocab_size, 101);
}

TEST(DataArguments, MockDataTakesTheNullTokenizer) {
  const auto options = tokenizer::tokenizer_options_from(arguments_from("mock_data: true"));
  EXPECT_EQ(options.type, "NullTokenizer");
  EXPECT_EQ(options.vocab_size, 131072);
  EXPECT_FALSE(
      tokenizer::tokenizer_options_from(arguments_from("tokenizer_hf_no_include_special_tokens: true"))
          .include_special_tokens);
}

}  // namespace
}  // namespace primus::data
