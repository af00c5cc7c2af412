// The ids and texts of the reference libraries, for every family of tokenizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_directory.h"
#include "tests/tokenizer/fixture.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/sentencepiece_tokenizer.h"

namespace primus::tokenizer {
namespace {

using Ids = std::vector<TokenId>;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class HuggingFaceParity : public ::testing::TestWithParam<const char*> {};

TEST_P(HuggingFaceParity, GivesTheSameIdsAndTexts) {
  const auto json = testing::cases();
  const std::string file = testing::fixture(std::string(GetParam()) + ".json");
  const auto with_special = load_huggingface(file, true);
  const auto without_special = load_huggingface(file, false);
  const auto& given = json["huggingface"][GetParam()];
  ASSERT_EQ(given.size(), json["texts"].size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string text = json["texts"][i];
    SCOPED_TRACE(::testing::PrintToString(text));
    EXPECT_EQ(with_special->encode(text), given[i]["ids"].get<Ids>());
    EXPECT_EQ(without_special->encode(text), given[i]["without_special"].get<Ids>());
    const std::string decoded = given[i]["decoded"];
    // Where ids end within a character, the reference shows U+FFFD and we give the bytes.
    if (decoded.find("\xEF\xBF\xBD") == std::string::npos) {
      EXPECT_EQ(with_special->decode(given[i]["ids"].get<Ids>()), decoded);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, HuggingFaceParity,
                         ::testing::Values("gpt2", "gpt2_prefix_space", "llama3", "qwen", "deepseek",
                                           "behaviors", "llama2", "metaspace_first", "metaspace_always",
                                           "split_digits_by_three", "kimi", "falcon", "words",
                                           "byte_normalizer", "gemma", "metaspace_sequence", "added"),
                         [](const auto& info) { return std::string(info.param); });

TEST(HuggingFaceParity, ReadsExpressionsAsOnigurumaDoes) {
  const auto given = testing::cases()["expressions"];
  for (const auto& example : given["cases"]) {
    const nlohmann::json description = {{"type", "Split"},
                                        {"pattern", {{"Regex", example["expression"]}}},
                                        {"behavior", "Isolated"},
                                        {"invert", false}};
    std::string text = given["text"];
    std::vector<std::string> pieces;
    for (const Range& range : PreTokenizer(description, "pre_tokenizer").split(text, true))
      pieces.push_back(text.substr(range.begin, range.end - range.begin));
    EXPECT_EQ(pieces, example["pieces"].get<std::vector<std::string>>()) << example["expression"];
  }
}

TEST(HuggingFaceParity, HonoursTheConfigurationWhereVersionsAgree) {
  const auto given = testing::cases()["configured"];
  for (const auto& example : given["cases"]) {
    SCOPED_TRACE(example["config"].dump());
    const primus::testing::TemporaryDirectory directory;
    std::filesystem::copy(testing::fixture(example["file"].get<std::string>() + ".json"),
                          directory / "tokenizer.json");
    write_file_atomically(directory / "tokenizer_config.json", example["config"].dump());
    const auto tokenizer = load_huggingface(directory.path(), true);
    EXPECT_EQ(tokenizer->vocab_size(), example["size"]);
    for (std::size_t i = 0; i < given["texts"].size(); ++i)
      EXPECT_EQ(tokenizer->encode(given["texts"][i].get<std::string>()), example["ids"][i].get<Ids>());
  }
}

/// The lines of a vocabulary of tiktoken's, filled up to 128,000 with pieces that no text contains.
std::string llama3_lines() {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines = read_file(testing::fixture("tiktoken_vocab.tiktoken"));
  const auto digit = [&](std::size_t value) { return digits[value % digits.size()]; };
  for (auto rank = static_cast<std::size_t>(std::ranges::count(lines, '\n')); rank < 128000; ++rank)
    lines += fmt::format("+{}{}{} {}\n", digit(rank / 4096), digit(rank / 64), digit(rank), rank);
  return lines;
}

TEST(TiktokenParity, ReadsTheModelFileOfLlama3) {
  const primus::testing::TemporaryDirectory directory;
  write_file_atomically(directory / "tokenizer.model", llama3_lines());
  const auto tokenizer = make_tokenizer(
      {.type = "Llama3Tokenizer", .model = directory.path().string(), .include_special_tokens = false});
  EXPECT_EQ(tokenizer->vocab_size(), 128256);
  EXPECT_EQ(tokenizer->eod(), 128001);
  const auto given = testing::cases()["llama3_tiktoken"];
  for (std::size_t i = 0; i < given["texts"].size(); ++i) {
    const std::string text = given["texts"][i];
    EXPECT_EQ(tokenizer->encode(text), given["ids"][i].get<Ids>()) << text;
  }
}

TEST(TiktokenParity, GivesTheSameIds) {
  const auto json = testing::cases();
  const auto& given = json["tiktoken"];
  for (const char* file : {"tiktoken_vocab.json", "tiktoken_vocab.tiktoken"}) {
    const auto tokenizer = load_tiktoken(testing::fixture(file), "v2", given["vocab_size"], given["special"]);
    EXPECT_EQ(tokenizer->vocab_size(), given["vocab_size"]);
    EXPECT_EQ(tokenizer->eod(), 2);
    for (std::size_t i = 0; i < json["texts"].size(); ++i) {
      const std::string text = json["texts"][i];
      EXPECT_EQ(tokenizer->encode(text), given["ids"][i].get<Ids>()) << text;
    }
  }
}

TEST(TiktokenParity, ATokenizerFileOfHuggingFaceGivesTheSameIds) {
  const primus::testing::TemporaryDirectory directory;
  write_file_atomically(directory / "tokenizer.model", llama3_lines());
  const auto cases = testing::cases();
  const std::string vocabulary = testing::fixture("tiktoken_vocab.tiktoken");
  const auto size = cases["tiktoken"]["vocab_size"].get<std::int64_t>();
  const auto special = cases["tiktoken"]["special"].get<std::int64_t>();
  for (const TokenizerOptions& options :
       {TokenizerOptions{.type = "TikTokenizer",
                         .model = vocabulary,
                         .vocab_size = size,
                         .tiktoken_pattern = "v1",
                         .tiktoken_num_special_tokens = special},
        TokenizerOptions{.type = "TikTokenizer",
                         .model = vocabulary,
                         .vocab_size = size,
                         .tiktoken_num_special_tokens = special},
        TokenizerOptions{.type = "Llama3Tokenizer", .model = directory.path().string()}}) {
    write_file_atomically(directory / "tokenizer.json", tiktoken_as_huggingface(options)->dump());
    const auto original = make_tokenizer(options);
    const auto converted = load_huggingface(directory / "tokenizer.json", true);
    std::filesystem::remove(directory / "tokenizer.json");
    EXPECT_EQ(converted->vocab_size(), original->vocab_size());
    for (const std::string text : cases["texts"])
      EXPECT_EQ(converted->encode(text), original->encode(text)) << text;
    EXPECT_EQ(converted->encode("a<|end_of_text|></s><SPECIAL_9>"),
              original->encode("a<|end_of_text|></s><SPECIAL_9>"));
  }
  EXPECT_FALSE(tiktoken_as_huggingface({.type = "ByteLevelTokenizer"}));
}

TEST(TiktokenParity, APieceThatIsSpelledAsASpecialTokenIsNotWritten) {
  const primus::testing::TemporaryDirectory directory;
  write_file_atomically(directory / "v.tiktoken", "YQ== 0\nPHM+ 1\n");  // "a" and "<s>"
  EXPECT_THAT(
      [&] {
        tiktoken_as_huggingface({.type = "TikTokenizer",
                                 .model = (directory / "v.tiktoken").string(),
                                 .vocab_size = 10,
                                 .tiktoken_num_special_tokens = 8});
      },
      ThrowsMessage<UserError>(HasSubstr("the piece <s> is spelled as a special token")));
}

TEST(SentencePieceParity, GivesTheSameIdsAndTexts) {
  const SentencePieceTokenizer plain(testing::fixture("sentencepiece.model"), {});
  const SentencePieceTokenizer llama(testing::fixture("sentencepiece.model"), {.begin_with_bos = true});
  EXPECT_EQ(plain.vocab_size(), 340);
  EXPECT_EQ(plain.eod(), 2);
  const auto json = testing::cases();
  for (const auto& given : json["sentencepiece"]) {
    const std::string text = given["text"];
    Ids ids = given["ids"];
    EXPECT_EQ(plain.encode(text), ids) << text;
    EXPECT_EQ(plain.decode(ids), given["decoded"]) << text;
    ids.insert(ids.begin(), 1);
    EXPECT_EQ(llama.encode(text), ids);
  }
}

TEST(SentencePieceParity, FindsSpecialPiecesOnlyWhereTransformersDoes) {
  const SentencePieceTokenizer plain(testing::fixture("sentencepiece.model"), {});
  const auto transformers =
      make_tokenizer({.type = "Llama2Tokenizer", .model = testing::fixture("sentencepiece.model")});
  Ids expected = {1, 1};
  for (const int id : plain.encode("the quick")) expected.push_back(id);
  expected.push_back(2);
  for (const int id : plain.encode(" fox")) expected.push_back(id);
  EXPECT_EQ(transformers->encode("<s>the quick</s> fox"), expected);
  EXPECT_NE(plain.encode("<s>"), (Ids{1}));
}

}  // namespace
}  // namespace primus::tokenizer
