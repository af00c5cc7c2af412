#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_directory.h"
#include "tests/tokenizer/fixture.h"
#include "tokenizer/tokenizer.h"

namespace primus::tokenizer {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Ids = std::vector<TokenId>;

TokenizerOptions options(const std::string& type, const std::string& model = "") {
  TokenizerOptions result;
  result.type = type;
  result.model = model;
  return result;
}

void expect_refusal(const TokenizerOptions& given, const std::string& part) {
  EXPECT_THAT([&] { make_tokenizer(given); }, ThrowsMessage<UserError>(HasSubstr(part)));
}

TEST(Factory, NullTokenizerHasOneIdMoreThanAskedFor) {
  TokenizerOptions given = options("NullTokenizer");
  expect_refusal(given, "needs a vocab_size");
  given.vocab_size = 131072;
  const auto tokenizer = make_tokenizer(given);
  EXPECT_EQ(tokenizer->vocab_size(), 131073);
  EXPECT_EQ(tokenizer->eod(), 131072);
  EXPECT_EQ(tokenizer->encode(" 1 20\n131072 "), (Ids{1, 20, 131072}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 20}), "1 20");
  EXPECT_THROW(tokenizer->encode("131073"), UserError);
  EXPECT_THROW(tokenizer->encode("1 x"), UserError);
}

TEST(Factory, ByteLevelTokenizerGivesBytes) {
  const auto tokenizer = make_tokenizer(options("ByteLevelTokenizer"));
  EXPECT_EQ(tokenizer->encode("h\xC3\xA9"), (Ids{'h', 0xC3, 0xA9}));
  EXPECT_EQ(tokenizer->decode(Ids{'h', 300, 'i'}), "hi");
  EXPECT_EQ(tokenizer->vocab_size(), 512);
}

TEST(Factory, ReadsGpt2sTwoFiles) {
  const primus::testing::TemporaryDirectory directory;
  const auto json = nlohmann::json::parse(read_file(testing::fixture("gpt2.json")))["model"];
  std::string merges = "#version: 0.2\n";
  for (const auto& merge : json["merges"])
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  write_file_atomically(directory / "vocab.json", json["vocab"].dump());
  write_file_atomically(directory / "merges.txt", merges);
  TokenizerOptions given = options("GPT2BPETokenizer");
  expect_refusal(given, "vocab_file and merge_file");
  given.vocab_file = directory / "vocab.json";
  given.merge_file = directory / "merges.txt";
  const auto tokenizer = make_tokenizer(given);
  EXPECT_EQ(tokenizer->eod(), 0);
  const auto cases = testing::cases();
  for (std::size_t i = 0; i < cases["texts"].size(); ++i)
    EXPECT_EQ(tokenizer->encode(cases["texts"][i].get<std::string>()),
              cases["huggingface"]["gpt2"][i]["ids"].get<Ids>());
}

TEST(Factory, FindsModelsInTheLocalCache) {
  const primus::testing::TemporaryDirectory directory;
  const auto model = directory / "hub/models--some--model";
  std::filesystem::create_directories(model / "refs");
  std::filesystem::create_directories(model / "snapshots/abc");
  write_file_atomically(model / "refs/main", "abc");
  std::filesystem::copy(testing::fixture("llama3.json"), model / "snapshots/abc/tokenizer.json");
  const char* before = std::getenv("HF_HOME");
  const std::string restored = before == nullptr ? "" : before;
  ::setenv("HF_HOME", directory.path().c_str(), 1);
  EXPECT_EQ(make_tokenizer(options("Llama3Tokenizer", "some/model"))->encode("").size(), 1u);
  expect_refusal(options("Llama3Tokenizer", "some/other"), "nothing is downloaded");
  if (before == nullptr) {
    ::unsetenv("HF_HOME");
  } else {
    ::setenv("HF_HOME", restored.c_str(), 1);
  }
}

TEST(Factory, NamesWhatIsWrong) {
  const primus::testing::TemporaryDirectory directory;
  expect_refusal(options("BertTokenizer"), "is not known; known are HuggingFaceTokenizer");
  expect_refusal(options("HuggingFaceTokenizer"), "needs a tokenizer_model");
  expect_refusal(options("HuggingFaceTokenizer", "/no/where"), "/no/where does not exist");
  const auto file = directory / "tokenizer.json";
  write_file_atomically(file, "{");
  expect_refusal(options("HuggingFaceTokenizer", file),
                 "tokenizer.json:1: this JSON ends before it is complete");
  write_file_atomically(file, R"({"model": {"type": "WordPiece", "vocab": {}}})");
  expect_refusal(options("HuggingFaceTokenizer", file), "the model WordPiece is not supported");
  write_file_atomically(file, R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})");
  expect_refusal(options("HuggingFaceTokenizer", file), "half of a merge \"b\" is not in the vocabulary");
  write_file_atomically(file, R"({"model": {"type": "BPE", "vocab": {"a": "x"}, "merges": []}})");
  expect_refusal(options("HuggingFaceTokenizer", file), "the id of token \"a\" must be a whole number");
  write_file_atomically(file, R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(["}, "behavior":
                                "Isolated", "invert": false}, "model": {"type": "BPE", "vocab": {}, "merges": []}})");
  expect_refusal(options("HuggingFaceTokenizer", file),
                 "`([` is not supported: it has an unfinished expression");
  expect_refusal(options("SentencePieceTokenizer", file), "is not a SentencePiece model");
}

TEST(Factory, ATokenizerWithoutEndOfDocumentSaysSo) {
  const auto tokenizer = make_tokenizer(options("HuggingFaceTokenizer", testing::fixture("llama2.json")));
  EXPECT_THAT([&] { require_eod(*tokenizer, "append_eod"); },
              ThrowsMessage<UserError>(HasSubstr("append_eod needs an end-of-document token")));
}

TEST(Factory, TheEndOfDocumentComesFromTheConfiguration) {
  const primus::testing::TemporaryDirectory directory;
  std::filesystem::copy(testing::fixture("llama3.json"), directory / "tokenizer.json");
  write_file_atomically(directory / "tokenizer_config.json",
                        R"({"eos_token": {"content": "</s>"}, "pad_token": null, "bos_token": "<s>"})");
  const auto tokenizer = make_tokenizer(options("HuggingFaceTokenizer", directory.path()));
  ASSERT_TRUE(tokenizer->eod());
  EXPECT_EQ(tokenizer->decode(Ids{*tokenizer->eod()}), "</s>");
  EXPECT_EQ(tokenizer->decode(Ids{*tokenizer->bos()}), "<s>");
  EXPECT_FALSE(tokenizer->pad());
}

TEST(Factory, TheFilesOfATokenizerAreThoseThatItReads) {
  EXPECT_TRUE(tokenizer_files(options("ByteLevelTokenizer")).empty());
  TokenizerOptions gpt2 = options("GPT2BPETokenizer");
  gpt2.vocab_file = "vocab.json";
  gpt2.merge_file = "merges.txt";
  EXPECT_THAT(tokenizer_files(gpt2), ::testing::ElementsAre("vocab.json", "merges.txt"));
  const primus::testing::TemporaryDirectory directory;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "README.md"})
    write_file_atomically(directory / name, "{}");
  const auto both = ::testing::ElementsAre(directory / "tokenizer.json", directory / "tokenizer_config.json");
  EXPECT_THAT(tokenizer_files(options("HuggingFaceTokenizer", directory.path())), both);
  EXPECT_THAT(tokenizer_files(options("HuggingFaceTokenizer", directory / "tokenizer.json")), both);
}

TEST(Factory, IdsOutsideOfTheVocabularyAreNamed) {
  const auto tokenizer = make_tokenizer(options("HuggingFaceTokenizer", testing::fixture("gpt2.json")));
  EXPECT_THAT([&] { tokenizer->decode(Ids{420}); }, ThrowsMessage<UserError>(HasSubstr("token id 420")));
  EXPECT_THAT([&] { tokenizer->encode("a\xFFz"); },
              ThrowsMessage<UserError>(HasSubstr("not valid UTF-8 at byte 1")));
}

}  // namespace
}  // namespace primus::tokenizer
