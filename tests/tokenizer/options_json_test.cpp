#include "tokenizer/options_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

}  // namespace
}  // namespace primus::tokenizer
