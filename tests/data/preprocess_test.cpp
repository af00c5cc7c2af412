#include "data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "data/indexed_dataset.h"
#include "tests/temporary_directory.h"
#include "tokenizer/simple_tokenizers.h"

namespace primus::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Preprocess : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) {
    std::ofstream(directory_ / name) << content;
    return directory_ / name;
  }

  PreprocessOptions options(const std::string& input) {
    PreprocessOptions result;
    result.inputs = {input};
    result.output_prefix = directory_ / "out";
    return result;
  }

  /// The texts of a dataset of bytes, one per document.
  std::vector<std::string> documents(const std::string& name) {
    const IndexedDataset dataset((directory_ / name).string());
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < dataset.sequence_count(); ++i) {
      std::vector<std::int64_t> tokens(static_cast<std::size_t>(dataset.length(i)));
      dataset.read(i, 0, tokens);
      texts.emplace_back(tokens.begin(), tokens.end());
    }
    return texts;
  }

  primus::testing::TemporaryDirectory directory_;
  tokenizer::ByteLevelTokenizer bytes_;
};

TEST_F(Preprocess, WritesADatasetPerKeyAndEndsDocuments) {
  PreprocessOptions given = options(
      write("a.jsonl", "{\"text\": \"ab\", \"title\": \"T\"}\n\n{\"title\": \"U\", \"text\": \"\"}\n"));
  given.json_keys = {"text", "title"};
  given.append_eod = true;
  const auto outputs = preprocess(bytes_, given);
  EXPECT_EQ(outputs[0].documents, 1);
  EXPECT_EQ(outputs[1].tokens, 4);
  EXPECT_THAT(documents("out_text_document"), ElementsAre(std::string("ab\0", 3)));
  EXPECT_THAT(documents("out_title_document"), ElementsAre(std::string("T\0", 2), std::string("U\0", 2)));
}

TEST_F(Preprocess, ReadsPlainTextInEveryWay) {
  PreprocessOptions given = options(write("a.txt", "one\ntwo\r\n \n\nthree\n"));
  preprocess(bytes_, given);
  EXPECT_THAT(documents("out_text_document"), ElementsAre("one", "two", "three"));
  given.format = DocumentFormat::paragraphs;
  preprocess(bytes_, given);
  EXPECT_THAT(documents("out_text_document"), ElementsAre("one\ntwo", "three"));
  given.format = DocumentFormat::whole;
  preprocess(bytes_, given);
  EXPECT_THAT(documents("out_text_document"), ElementsAre("one\ntwo\r\n \n\nthree\n"));
}

TEST_F(Preprocess, DoesNotDependOnTheNumberOfWorkers) {
  std::string lines;
  for (int i = 0; i < 60000; ++i) lines += "document number " + std::to_string(i * 7919 % 60000) + "\n";
  PreprocessOptions given = options(write("a.txt", lines));
  preprocess(bytes_, given);
  const std::string expected = read_file(directory_ / "out_text_document.bin");
  const std::string index = read_file(directory_ / "out_text_document.idx");
  given.workers = 5;
  preprocess(bytes_, given);
  EXPECT_EQ(read_file(directory_ / "out_text_document.bin"), expected);
  EXPECT_EQ(read_file(directory_ / "out_text_document.idx"), index);
}

TEST_F(Preprocess, ReadsGzipAndNoticesWhenItIsCutOff) {
  const std::string path = directory_ / "a.jsonl.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  std::string content;
  for (int i = 0; i < 1000; ++i) content += "{\"text\": \"" + std::to_string(i * i) + "\"}\n";
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  EXPECT_EQ(preprocess(bytes_, options(path))[0].documents, 1000);
  std::filesystem::resize_file(path, 500);
  EXPECT_THAT([&] { preprocess(bytes_, options(path)); }, ThrowsMessage<UserError>(HasSubstr("cut off")));
}

TEST_F(Preprocess, NamesFileAndLineOfBadInputAndWritesNothing) {
  const auto expect_refusal = [&](const std::string& content, const std::string& part) {
    const std::string path = write("bad.jsonl", content);
    EXPECT_THAT([&] { preprocess(bytes_, options(path)); }, ThrowsMessage<UserError>(HasSubstr(part)));
  };
  expect_refusal("{\"text\": \"a\"}\n{\"text\": \n", "bad.jsonl:2: broken JSON");
  expect_refusal("{\"body\": \"a\"}\n", "bad.jsonl:1: the object has no key \"text\"");
  expect_refusal("{\"text\": 7}\n", "bad.jsonl:1: \"text\" must be a string, not number");
  expect_refusal("[]\n", "bad.jsonl:1: expected a JSON object");
  expect_refusal("\n \n", "no document with text");
  const std::string latin = write("latin.txt", "fine\nna\xEFve\n");
  EXPECT_THAT([&] { preprocess(bytes_, options(latin)); },
              ThrowsMessage<UserError>(HasSubstr("latin.txt:2: text is not valid UTF-8 at byte 2")));
  EXPECT_THAT([&] { preprocess(bytes_, options(directory_ / "none.jsonl")); },
              ThrowsMessage<UserError>(HasSubstr("does not exist")));
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    EXPECT_THAT(entry.path().filename().string(), ::testing::Not(HasSubstr("out")));
}

}  // namespace
}  // namespace primus::data
