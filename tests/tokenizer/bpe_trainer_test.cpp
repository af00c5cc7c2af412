#include "tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_directory.h"
#include "tests/tokenizer/fixture.h"
#include "tokenizer/bpe_tokenizer.h"

namespace primus::tokenizer {
namespace {

TrainedBpe train_on_fixture() {
  BpeTrainer trainer({.vocab_size = 420, .min_frequency = 2, .special_tokens = {"<|endoftext|>"}});
  const auto cases = testing::cases();
  for (const std::string text : cases["training"]["corpus"]) trainer.add(text);
  return trainer.train();
}

TEST(BpeTrainer, LearnsTheMergesThatHuggingFacesTrainerLearns) {
  const primus::testing::TemporaryDirectory directory;
  save_tokenizer(train_on_fixture(), directory.path());
  const auto model = nlohmann::json::parse(read_file(directory / "tokenizer.json"))["model"];
  const auto expected = testing::cases()["training"];
  EXPECT_EQ(model["merges"], expected["merges"]);
  EXPECT_EQ(model["vocab"], expected["vocab"]);
}

TEST(BpeTrainer, WritesATokenizerThatCanBeLoaded) {
  const primus::testing::TemporaryDirectory directory;
  save_tokenizer(train_on_fixture(), directory.path());
  const auto tokenizer = load_huggingface(directory.path(), true);
  EXPECT_EQ(tokenizer->vocab_size(), 420);
  EXPECT_EQ(tokenizer->eod(), 0);
  const std::string text = "the quick \xE6\x97\xA5 woodchuck\n\n  <|endoftext|>x";
  const auto ids = tokenizer->encode(text);
  EXPECT_EQ(tokenizer->decode(ids), text);
  EXPECT_EQ(ids[ids.size() - 2], 0);
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  BpeTrainer trainer({.vocab_size = 260, .min_frequency = 1, .special_tokens = {}});
  trainer.add("abab abab cd");
  const TrainedBpe trained = trainer.train();
  // "ab" four times; then "abab", in one word with and in one without a space before it.
  EXPECT_EQ(trained.pieces[256], "ab");
  EXPECT_EQ(trained.pieces[257], "abab");
}

TEST(BpeTrainer, StopsWhenNothingIsLeftToMerge) {
  BpeTrainer trainer({.vocab_size = 1000, .min_frequency = 2, .special_tokens = {}});
  trainer.add("ab ab cd");
  const TrainedBpe trained = trainer.train();
  EXPECT_EQ(trained.pieces.size(), 257u);
}

TEST(BpeTrainer, RefusesAVocabularyWithoutRoom) {
  EXPECT_THROW(BpeTrainer({.vocab_size = 256, .min_frequency = 2, .special_tokens = {"x"}}), UserError);
}

}  // namespace
}  // namespace primus::tokenizer
