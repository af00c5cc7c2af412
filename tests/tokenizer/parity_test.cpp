// The ids and texts of the reference libraries, for every family of tokenizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/tokenizer/fixture.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/sentencepiece_tokenizer.h"

namespace primus::tokenizer {
namespace {

using Ids = std::vector<TokenId>;

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
                                           "behaviors", "llama2", "metaspace_first", "metaspace_always"),
                         [](const auto& info) { return std::string(info.param); });

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

}  // namespace
}  // namespace primus::tokenizer
