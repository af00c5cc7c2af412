// Options of Hugging Face's tokenizer files: each is honoured, or refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "config/arguments/table.h"
#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_directory.h"
#include "tests/tokenizer/fixture.h"
#include "tokenizer/bpe_tokenizer.h"

namespace primus::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Ids = std::vector<TokenId>;
using Json = nlohmann::json;

/// A tokenizer of a few letters: tokenizer.json, and its files as a test changes them.
struct Files {
  Json tokenizer = {{"model",
                     {{"type", "BPE"},
                      {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"<s>", 3}, {"</s>", 4}, {"\u0120", 5}}},
                      {"merges", {"a b"}}}},
                    {"added_tokens", Json::array()}};
  Json config = Json::object();
  std::vector<std::pair<std::string, Json>> more = {};

  std::unique_ptr<BpeTokenizer> load(bool include_special_tokens = true) const {
    const primus::testing::TemporaryDirectory directory;
    write_file_atomically(directory / "tokenizer.json", tokenizer.dump());
    write_file_atomically(directory / "tokenizer_config.json", config.dump());
    for (const auto& [name, json] : more) write_file_atomically(directory / name, json.dump());
    return load_huggingface(directory.path(), include_special_tokens);
  }
  void expect_refusal(const std::string& part) const {
    EXPECT_THAT([&] { load(); }, ThrowsMessage<UserError>(HasSubstr(part)));
  }
  Json& at(const char* pointer) { return tokenizer[Json::json_pointer(pointer)]; }
};

Files begin_with(TokenId id) {
  Files files;
  files.at("/post_processor") = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", Json::array()},
      {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {id}}, {"tokens", {"<s>"}}}}}}};
  files.config = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return files;
}

TEST(HuggingFaceFiles, AKeyThatNobodyKnowsIsRefusedWithItsPlace) {
  const std::pair<const char*, const char*> places[] = {
      {"/model/new_option", "'model.new_option'"},
      {"/pre_tokenizer/new_option", "'pre_tokenizer.new_option'"},
      {"/normalizer/normalizers/1/new_option", "'normalizer.normalizers[1].new_option'"},
      {"/decoder/new_option", "'decoder.new_option'"},
      {"/post_processor/new_option", "'post_processor.new_option'"},
      {"/added_tokens/0/new_option", "'added_tokens[0].new_option'"},
      {"/new_option", "'new_option'"}};
  for (const auto& [pointer, named] : places) {
    Files files;
    files.at("/pre_tokenizer") = {{"type", "Digits"}, {"individual_digits", true}};
    files.at("/normalizer") = {{"type", "Sequence"},
                               {"normalizers", {{{"type", "NFC"}}, {{"type", "NFKD"}}}}};
    files.at("/decoder") = {{"type", "Fuse"}};
    files.at("/post_processor") = {{"type", "ByteLevel"}};
    files.at("/added_tokens") = {{{"id", 3},
                                  {"content", "<s>"},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false},
                                  {"normalized", false},
                                  {"special", true}}};
    files.load();
    files.at(pointer) = 1;
    files.expect_refusal(named);
  }
}

TEST(HuggingFaceFiles, StagesThatAreNotSupportedAreNamed) {
  const std::pair<const char*, const char*> stages[] = {{"/normalizer", "BertNormalizer"},
                                                        {"/normalizer", "Precompiled"},
                                                        {"/normalizer", "Nmt"},
                                                        {"/pre_tokenizer", "UnicodeScripts"},
                                                        {"/pre_tokenizer", "BertPreTokenizer"},
                                                        {"/decoder", "WordPiece"},
                                                        {"/decoder", "BPEDecoder"},
                                                        {"/decoder", "CTC"},
                                                        {"/model", "Unigram"},
                                                        {"/model", "WordPiece"},
                                                        {"/model", "WordLevel"}};
  for (const auto& [pointer, type] : stages) {
    Files files;
    files.at(pointer) = {{"type", type}};
    files.expect_refusal(type);
  }
  for (const auto& [key, value] : std::map<std::string, Json>{
           {"dropout", 0.1}, {"end_of_word_suffix", "</w>"}, {"continuing_subword_prefix", "##"}}) {
    Files files;
    files.at("/model")[key] = value;
    files.expect_refusal("'model." + key + "'");
  }
}

TEST(HuggingFaceFiles, DamagedVocabulariesAreNamed) {
  const std::pair<Json, const char*> vocabularies[] = {
      {{{"a", 0}, {"b", 0}, {"ab", 1}}, "given to two tokens"},
      {{{"a", -1}}, "out of range"},
      {{{"a", 5000000000}}, "must be a whole number, at most 2147483647"},
      {{{"a", "0"}}, "must be a whole number"},
      {{{"a", 0}, {"b", 1}}, "which is not in the vocabulary"},
      {Json::array({"a"}), "must be an object"}};
  for (const auto& [vocabulary, message] : vocabularies) {
    Files files;
    files.at("/model/vocab") = vocabulary;
    files.expect_refusal(message);
  }
  Files files;
  files.at("/model/merges") = {"a b c"};
  files.expect_refusal("must be two tokens");
}

TEST(HuggingFaceFiles, OfTwoMergesOfAPairTheLastOneHolds) {
  Files files;
  files.at("/model/vocab") = {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"bc", 4}};
  files.at("/model/merges") = {"a b", "b c", "a b"};
  EXPECT_EQ(files.load()->encode("abc"), (Ids{0, 4}));
}

TEST(HuggingFaceFiles, APrefixSpaceGoesInFrontOfALineFeedToo) {
  Files files;
  files.at("/model/vocab")["\u010A"] = 6;
  files.at("/pre_tokenizer") = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}};
  EXPECT_EQ(files.load()->encode("\na"), (Ids{5, 6, 0}));
  EXPECT_EQ(files.load()->encode(" a"), (Ids{5, 0}));
}

TEST(HuggingFaceFiles, NamedTokensGetIdsAndAreFoundInTexts) {
  Files files;
  files.config = {{"eos_token", "</s>"}, {"pad_token", "<pad>"}};
  const auto tokenizer = files.load();
  EXPECT_EQ(tokenizer->eod(), 4);
  EXPECT_EQ(tokenizer->pad(), 6);
  EXPECT_EQ(tokenizer->vocab_size(), 7);
  EXPECT_EQ(tokenizer->encode("a</s>b<pad>"), (Ids{0, 4, 1, 6}));
  files.config["eos_token"] = nullptr;
  files.config["sep_token"] = "<s>";
  EXPECT_EQ(files.load()->eod(), 3);
}

TEST(HuggingFaceFiles, OlderFilesNameTokensToo) {
  Files files;
  files.config = {{"eos_token", "<s>"}};
  files.more = {{"special_tokens_map.json", {{"eos_token", "</s>"}}}, {"added_tokens.json", {{"<x>", 6}}}};
  EXPECT_EQ(files.load()->eod(), 4);
  EXPECT_EQ(files.load()->encode("a<x>"), (Ids{0, 6}));
  files.config["added_tokens_decoder"] = Json::object();  // with it the older files are not read
  EXPECT_EQ(files.load()->eod(), 3);
}

TEST(HuggingFaceFiles, AnIdThatTransformersWouldNotGiveIsRefused) {
  Files files;
  files.config = {{"added_tokens_decoder", {{"9", {{"content", "<x>"}}}}}};
  files.expect_refusal("has the id 9 here, but Transformers gives it 6");
  files.config = {{"eos_token", "<x>"}};
  files.at("/model/vocab")["</s>"] = 6;
  files.expect_refusal("would get the id 6, which belongs to another token");
}

TEST(HuggingFaceFiles, TheTwoFilesAgreeOnBeginAndEndTokens) {
  Files files = begin_with(3);
  EXPECT_EQ(files.load()->encode("ab"), (Ids{3, 2}));
  files.config["add_bos_token"] = true;
  EXPECT_EQ(files.load()->encode("ab"), (Ids{3, 2}));
  files.config["add_bos_token"] = false;
  files.expect_refusal("'add_bos_token' is false, but the post_processor of tokenizer.json puts the ids [3]");
  EXPECT_EQ(files.load(false)->encode("ab"), (Ids{2}));
  files.config["add_bos_token"] = true;
  files.config["add_eos_token"] = true;
  files.expect_refusal("'add_eos_token' is true");
}

TEST(HuggingFaceFiles, AClassAddsABeginTokenUnlessToldOtherwise) {
  Files files = begin_with(3);
  files.config["tokenizer_class"] = "LlamaTokenizerFast";
  EXPECT_EQ(files.load()->encode("ab"), (Ids{3, 2}));
  files.at("/post_processor") = nullptr;
  files.expect_refusal("'add_bos_token' is true for a LlamaTokenizer that does not set it");
  files.config["add_bos_token"] = false;
  EXPECT_EQ(files.load()->encode("ab"), (Ids{2}));
}

TEST(HuggingFaceFiles, TheTwoFilesAgreeOnAPrefixSpace) {
  Files files;
  files.at("/pre_tokenizer") = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}};
  files.config["add_prefix_space"] = true;
  files.expect_refusal("'add_prefix_space' is true, but tokenizer.json does not add one");
  files.at("/pre_tokenizer/add_prefix_space") = true;
  EXPECT_EQ(files.load()->encode("a"), (Ids{5, 0}));
  files.config = {{"tokenizer_class", "GPT2Tokenizer"}};
  files.expect_refusal("for a GPT2Tokenizer that does not set it");
}

TEST(HuggingFaceFiles, OptionsThatOnlyPythonCanFollowAreRefused) {
  for (const auto& [key, value] :
       std::map<std::string, Json>{{"auto_map", {{"AutoTokenizer", {"a.B", nullptr}}}},
                                   {"from_slow", true},
                                   {"fix_mistral_regex", true},
                                   {"image_token", "<image>"}}) {
    Files files;
    files.config[key] = value;
    files.expect_refusal("'" + key + "'");
  }
}

TEST(HuggingFaceFiles, ATextWithoutATokenNamesTheFileAndTheMissingKey) {
  EXPECT_THAT([] { Files().load()->encode("ax"); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("/tokenizer.json: "), HasSubstr("no token for \"x\""),
                                             HasSubstr("names no 'unk_token'"))));
}

TEST(HuggingFaceFiles, ATemplateAddsOnlyTokensThatExist) { begin_with(77).expect_refusal("adds the id 77"); }

TEST(HuggingFaceFiles, SentencePieceModelsFollowTheirConfiguration) {
  const primus::testing::TemporaryDirectory directory;
  std::filesystem::copy(testing::fixture("sentencepiece.model"), directory / "tokenizer.model");
  const auto load = [&](const Json& config) {
    write_file_atomically(directory / "tokenizer_config.json", config.dump());
    return make_tokenizer({.type = "HuggingFaceTokenizer", .model = directory.path().string()});
  };
  const Ids plain = load({{"add_bos_token", false}})->encode("the");
  Ids ended = plain;
  ended.push_back(2);
  EXPECT_EQ(load({{"add_bos_token", false}, {"add_eos_token", true}})->encode("the"), ended);
  const auto expect_refusal = [&](const Json& config, const char* part) {
    EXPECT_THAT([&] { load(config); }, ThrowsMessage<UserError>(HasSubstr(part)));
  };
  expect_refusal({{"legacy", false}}, "'legacy': false");
  expect_refusal({{"pad_token", "<none>"}}, "\"<none>\" is not in");
  expect_refusal({{"tokenizer_class", "T5Tokenizer"}}, "T5Tokenizer is not supported");
  expect_refusal({{"sp_model_kwargs", {{"enable_sampling", true}}}}, "'sp_model_kwargs'");
}

TEST(HuggingFaceFiles, ATiktokenFileIsNoSentencePieceModelWhateverItsName) {
  const primus::testing::TemporaryDirectory directory;
  write_file_atomically(directory / "tokenizer.model", "IQ== 0\nIg== 1\n");
  const auto load = [&](const char* type) {
    make_tokenizer({.type = type, .model = (directory / "tokenizer.model").string()});
  };
  EXPECT_THAT([&] { load("SentencePieceTokenizer"); },
              ThrowsMessage<UserError>(HasSubstr("is a tiktoken vocabulary, not a SentencePiece model")));
  EXPECT_THAT([&] { load("Llama3Tokenizer"); },
              ThrowsMessage<UserError>(HasSubstr("a tiktoken vocabulary of 2 entries")));
}

TEST(TokenizerTypes, AreAllOfThemValuesOfTheArgument) {
  const config::Argument& row = config::argument_at(config::find_argument("tokenizer_type"));
  for (const std::string& type : tokenizer_types())
    EXPECT_THAT(fmt::format("|{}|", row.details.choices), HasSubstr("|" + type + "|"));
}

}  // namespace
}  // namespace primus::tokenizer
