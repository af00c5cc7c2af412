// Tokenizer files that the fuzzer has found to do harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_directory.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace primus::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

std::unique_ptr<Tokenizer> read(const std::string& type, const std::filesystem::path& model) {
  return make_tokenizer(
      {.type = type, .model = model.string(), .vocab_size = 12, .tiktoken_num_special_tokens = 8});
}

std::filesystem::path seed(const std::string& name) {
  return std::filesystem::path(PRIMUS_SOURCE_DIR) / "fuzz/corpus" / name;
}

TEST(DamagedFiles, ALargeIdTakesNoMoreMemoryThanASmallOne) {
  const auto bytes_in_use = [] {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = bytes_in_use();
  Vocabulary vocabulary;
  vocabulary.add("a", 16'000'000);
  EXPECT_LT(bytes_in_use() - before, 10'000);
  EXPECT_EQ(vocabulary.end(), 16'000'001);
  EXPECT_EQ(vocabulary.find("a"), 16'000'000);
  EXPECT_EQ(vocabulary.text(16'000'000), "a");
  EXPECT_FALSE(vocabulary.contains(5));
}

TEST(DamagedFiles, DeepNestingIsRefusedWhereverItStands) {
  const primus::testing::TemporaryDirectory directory;
  const auto file = directory / "tokenizer.json";
  std::string content = R"({"normalizer": )";
  for (int i = 0; i < 20000; ++i) content += R"({"type": "Sequence", "normalizers": [)";
  write_file_atomically(file, content);
  EXPECT_THAT([&] { read("HuggingFaceTokenizer", directory.path()); },
              ThrowsMessage<UserError>(file.string() + ": this JSON is nested too deeply"));
}

TEST(DamagedFiles, RanksAndIdsThatAreNoWholeNumbersAreRefused) {
  const primus::testing::TemporaryDirectory directory;
  for (const char* rank : {"2222222222222222222223", "0.5", "true", "18446744073709551616"}) {
    write_file_atomically(directory / "v.json",
                          fmt::format(R"([{{"rank": {}, "token_bytes": "YQ=="}}])", rank));
    EXPECT_THAT([&] { read("TikTokenizer", directory / "v.json"); },
                ThrowsMessage<UserError>(HasSubstr("v.json: a rank must be a whole number")))
        << rank;
  }
  for (const char* id : {"4294967296", "0.5", "true"}) {
    write_file_atomically(directory / "tokenizer.json",
                          fmt::format(R"({{"post_processor": {{"type": "BertProcessing",
        "sep": ["a", {}], "cls": ["a", 0]}}, "model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": []}}}})",
                                      id));
    EXPECT_THAT([&] { read("HuggingFaceTokenizer", directory / "tokenizer.json"); },
                ThrowsMessage<UserError>(HasSubstr("the id of 'sep' must be a whole number")))
        << id;
  }
}

TEST(DamagedFiles, TikTokenListsOfAnotherContentAreSaidInOurWords) {
  const primus::testing::TemporaryDirectory directory;
  for (const char* content :
       {"[3]", "[{\"rank\": 0}]", "[{\"rank\": 0, \"token_bytes\": 1}]", "{\"a\": 1}"}) {
    write_file_atomically(directory / "v.json", content);
    EXPECT_THAT(
        [&] { read("TikTokenizer", directory / "v.json"); },
        ThrowsMessage<UserError>(AllOf(HasSubstr("v.json is not a list of {rank, token_bytes, token_str}: "),
                                       Not(HasSubstr("json.exception")))))
        << content;
  }
}

TEST(DamagedFiles, ASentencePieceModelThatTheLibraryThrowsForIsRefused) {
  const auto model = seed("sentencepiece_model/damaged_piece_begins_with_zero");
  EXPECT_THAT([&] { read("SentencePieceTokenizer", model); },
              ThrowsMessage<UserError>(model.string() + " is not a SentencePiece model, or is damaged"));
}

TEST(DamagedFiles, ASentencePieceModelThatLosesTextSaysSo) {
  const auto model = seed("sentencepiece_model/damaged_space_is_a_control_piece");
  const auto tokenizer = read("SentencePieceTokenizer", model);
  EXPECT_THAT([&] { tokenizer->encode("hello  world 1234"); },
              ThrowsMessage<UserError>("SentencePieceTokenizer " + model.string() +
                                       " is damaged: it cannot encode text"));
}

}  // namespace
}  // namespace primus::tokenizer
