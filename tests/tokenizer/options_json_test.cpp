#include "tokenizer/options_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/message_of.h"

namespace primus::tokenizer {
namespace {

TEST(TokenizerOptionsJson, SurvivesTheWayThereAndBack) {
  TokenizerOptions options;
  options.type = "GPT2BPETokenizer";
  options.vocab_file = "no-such-vocab.json";
  options.merge_file = "no-such-merges.txt";
  options.vocab_size = 17;
  options.include_special_tokens = false;
  const nlohmann::json json = to_json(options);
  EXPECT_EQ(json["tokenizer_type"], "GPT2BPETokenizer");
  EXPECT_EQ(json["vocab_file"], "no-such-vocab.json");
  EXPECT_EQ(to_json(tokenizer_options_from_json(json)), json);
}

TEST(TokenizerOptionsJson, FilesThatExistAreNamedByTheirAbsolutePath) {
  TokenizerOptions options;
  options.type = "HuggingFaceTokenizer";
  options.model = ".";
  EXPECT_EQ(to_json(options)["tokenizer_model"].get<std::string>().front(), '/');
}

TEST(TokenizerOptionsJson, ValuesOfAnotherTypeAreSaidInOurWords) {
  const auto said = [](const char* text) {
    return primus::testing::message_of([&] { tokenizer_options_from_json(nlohmann::json::parse(text)); });
  };
  EXPECT_EQ(said(R"({"vocab_size": 4294967296.5})"),
            "vocab_size must be a whole number, at most 9223372036854775807");
  for (const char* text : {R"({"tokenizer_type": 5})", R"({"include_special_tokens": "no"})", "[]", "5"})
    EXPECT_THAT(said(text), ::testing::StartsWith("the description of the tokenizer is damaged: ")) << text;
}

}  // namespace
}  // namespace primus::tokenizer
