#include "data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "data/indexed_dataset.h"
#include "data/indexed_writer.h"
#include "tests/message_of.h"
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

  /// The texts of a dataset of bytes, one per sequence.
  std::vector<std::string> sequences(const std::string& name) {
    const IndexedDataset dataset((directory_ / name).string());
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < dataset.sequence_count(); ++i) {
      std::vector<std::int64_t> tokens(static_cast<std::size_t>(dataset.length(i)));
      dataset.read(i, 0, tokens);
      texts.emplace_back(tokens.begin(), tokens.end());
    }
    return texts;
  }

  /// What the refusal of a file of this name and content says.
  std::string refusal_of(const std::string& name, const std::string& content,
                         DocumentFormat format = DocumentFormat::automatic) {
    PreprocessOptions given = options(write(name, content));
    given.format = format;
    return primus::testing::message_of([&] { preprocess(bytes_, given); });
  }

  primus::testing::TemporaryDirectory directory_;
  tokenizer::ByteLevelTokenizer bytes_;
};

TEST_F(Preprocess, WritesADatasetPerKeyAndEndsDocuments) {
  PreprocessOptions given = options(
      write("a.jsonl", "{\"text\": \"ab\", \"title\": \"T\"}\n\n{\"title\": \"U\", \"text\": \"\"}\n"));
  given.json_keys = {"text", "title"};
  given.append_eod = true;
  const auto outputs = preprocess(bytes_, given).outputs;
  EXPECT_EQ(outputs[0].documents, 2);
  EXPECT_EQ(outputs[1].tokens, 4);
  EXPECT_THAT(sequences("out_text_document"), ElementsAre(std::string("ab\0", 3)));
  EXPECT_THAT(sequences("out_title_document"), ElementsAre(std::string("T\0", 2), std::string("U\0", 2)));
}

TEST_F(Preprocess, WritesTheBytesOfMegatronsPreprocessDataForEmptyTextsAndLists) {
  // tools/preprocess_data.py of Megatron-LM with a tokenizer of bytes (end of document 0) gave these.
  const std::string corpus = write("a.jsonl", R"({"text": "ab"}
{"text": ""}
{"text": ["c", "", "de"]}
{"text": []}
{"text": [""]}
)");
  const auto expect_bytes = [&](bool append_eod, const std::vector<unsigned char>& tokens,
                                const std::vector<std::int32_t>& lengths) {
    PreprocessOptions given = options(corpus);
    given.append_eod = append_eod;
    preprocess(bytes_, given);
    const std::string bin = read_file(directory_ / "out_text_document.bin");
    std::vector<unsigned char> low_bytes;
    for (std::size_t i = 0; i < bin.size(); i += 2) low_bytes.push_back(static_cast<unsigned char>(bin[i]));
    EXPECT_EQ(low_bytes, tokens);
    const IndexedDataset dataset((directory_ / "out_text_document").string());
    std::vector<std::int64_t> boundaries;
    for (std::int64_t d = 0; d <= dataset.document_count(); ++d)
      boundaries.push_back(dataset.document_boundaries()[d]);
    EXPECT_THAT(boundaries, ElementsAre(0, 1, 1, 3, 3, 3));
    for (std::size_t i = 0; i < lengths.size(); ++i)
      EXPECT_EQ(dataset.length(static_cast<std::int64_t>(i)), lengths[i]);
    EXPECT_EQ(read_file(directory_ / "out_text_document.idx").size(), 34u + 3 * 12 + 6 * 8);
  };
  expect_bytes(false, {'a', 'b', 'c', 'd', 'e'}, {2, 1, 2});
  expect_bytes(true, {'a', 'b', 0, 'c', 'd', 'e', 0}, {3, 1, 3});
}

TEST_F(Preprocess, MergedDatasetsKeepEmptyDocuments) {
  PreprocessOptions given = options(write("a.jsonl", "{\"text\": \"\"}\n{\"text\": [\"a\", \"b\"]}\n"));
  const std::string prefix = preprocess(bytes_, given).outputs[0].prefix;
  const std::string merged = (directory_ / "merged").string();
  IndexedDatasetWriter writer(merged, TokenType::uint16);
  for (int i = 0; i < 2; ++i) writer.add_dataset(IndexedDataset(prefix));
  writer.finish();
  const IndexedDataset dataset(merged);
  EXPECT_EQ(dataset.document_count(), 4);
  EXPECT_EQ(dataset.document_boundaries()[3], 2);
  EXPECT_EQ(dataset.sequence_count(), 4);
}

TEST_F(Preprocess, AKeyThatIsAlwaysEmptyMakesAnEmptyDataset) {
  PreprocessOptions given = options(write("a.jsonl", "{\"text\": \"a\", \"title\": \"\"}\n"));
  given.json_keys = {"title", "text"};
  EXPECT_EQ(preprocess(bytes_, given).outputs[0].tokens, 0);
  EXPECT_EQ(IndexedDataset((directory_ / "out_title_document").string()).document_count(), 1);
}

TEST_F(Preprocess, TheContentDecidesWhatAFileHolds) {
  for (const char* name : {"a.JSONL", "a.txt", "a", "a.json.bak"}) {
    preprocess(bytes_, options(write(name, "\n {\"text\": \"from JSON\"}\n")));
    EXPECT_THAT(sequences("out_text_document"), ElementsAre("from JSON")) << name;
  }
  preprocess(bytes_, options(write("a.txt", "[Applause]\n{curly} braces\n")));
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("[Applause]", "{curly} braces"));
  EXPECT_THAT(refusal_of("a.txt", "{\n  \"text\": \"a\"\n}\n"), HasSubstr("for plain text use --format"));
  EXPECT_THAT(refusal_of("a.txt", "[{\"text\": \"a\"}]\n"), HasSubstr("for plain text use --format"));
  EXPECT_THAT(refusal_of("a.JSON", "[{\"text\": \"a\"}]\n"), HasSubstr("a.JSON:1: broken JSON at byte 1"));
  EXPECT_THAT(refusal_of("a.txt", std::string("ab\0cd", 5)), HasSubstr("has a zero byte at 2"));
  EXPECT_EQ(refusal_of("a.txt", "[{\"text\": \"a\"}]\n", DocumentFormat::lines), "accepted");
}

TEST_F(Preprocess, APartOfASplitCorpusIsReadAsItsLinesAre) {
  const std::string cut = " end of a line\"}\n", good = "{\"text\": \"from JSON\"}\n";
  for (const char* name : {"part-00001", "c.jsonl.1"}) {
    for (const std::string& rest : {good, good + good + "a line of another kind\n" + good}) {
      const std::string path = write(name, cut + rest);
      EXPECT_THAT(primus::testing::message_of([&] { preprocess(bytes_, options(path)); }),
                  HasSubstr(std::string(name) + ":1: broken JSON"));
      PreprocessOptions given = options(path);
      given.skip_bad = true;
      EXPECT_EQ(preprocess(bytes_, given).skipped.count, rest == good ? 1 : 2);
      EXPECT_EQ(sequences("out_text_document").front(), "from JSON");
    }
  }
  PreprocessOptions as_text = options(write("part", cut + good));
  as_text.format = DocumentFormat::lines;
  EXPECT_EQ(preprocess(bytes_, as_text).outputs[0].documents, 2);
  preprocess(bytes_, options(write("code.txt", "int a[] =\n{}\n;\n")));
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("int a[] =", "{}", ";"));
}

TEST_F(Preprocess, DictionariesThatPythonPrintedAreRefused) {
  const std::string dicts = "{'text': 'a'}\n{'text': \"it's\"}\n";
  for (const char* name : {"a.txt", "a.jsonl", "part-00001"})
    EXPECT_THAT(refusal_of(name, "a line cut off'}\n" + dicts), HasSubstr("holds Python dictionaries"))
        << name;
  EXPECT_THAT(refusal_of("a.jsonl", dicts, DocumentFormat::jsonl),
              HasSubstr("a key in double quotes, found '"));
  EXPECT_EQ(refusal_of("a.txt", dicts, DocumentFormat::lines), "accepted");
}

TEST_F(Preprocess, AByteOrderMarkIsNoTextInAnyFormat) {
  const std::string mark = "\xEF\xBB\xBF";
  for (const auto format : {DocumentFormat::automatic, DocumentFormat::lines, DocumentFormat::paragraphs,
                            DocumentFormat::whole}) {
    PreprocessOptions given = options(write("a.txt", mark + "text"));
    given.format = format;
    preprocess(bytes_, given);
    EXPECT_THAT(sequences("out_text_document"), ElementsAre("text"));
  }
  for (const char* name : {"a.jsonl", "a.txt"}) {
    preprocess(bytes_, options(write(name, mark + "{\"text\": \"a\"}\n")));
    EXPECT_THAT(sequences("out_text_document"), ElementsAre("a")) << name;
  }
  EXPECT_THAT(refusal_of("a.jsonl", mark), HasSubstr("no document with text"));
}

TEST_F(Preprocess, FilesOfOtherKindsAreNamedInEveryFormat) {
  for (const auto format : {DocumentFormat::automatic, DocumentFormat::jsonl, DocumentFormat::whole}) {
    EXPECT_THAT(refusal_of("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", format),
                HasSubstr("a.jsonl: it is a Git LFS pointer"));
    EXPECT_THAT(refusal_of("a.jsonl", std::string("\xFF\xFE{\0", 4), format), HasSubstr("it is UTF-16 text"));
    EXPECT_THAT(refusal_of("a.txt", "\x28\xB5\x2F\xFD rest", format), HasSubstr("it is zstd data"));
    EXPECT_THAT(refusal_of("a.jsonl", "PAR1\x15\x04\x15", format), HasSubstr("it is a Parquet table"));
  }
  EXPECT_THAT(
      refusal_of("a.jsonl", "{\"text\": \"na\xEFve\"}\n"),
      HasSubstr(
          "a.jsonl:1: text is not valid UTF-8 at byte 12 (0xef), and bytes do not tell which encoding"));
}

TEST_F(Preprocess, AllInputsAreLookedAtBeforeOneIsRead) {
  PreprocessOptions given = options(write("a.jsonl", "broken\n"));
  given.inputs.push_back(write("b.jsonl", "PK\x03\x04 rest"));
  EXPECT_THAT([&] { preprocess(bytes_, given); },
              ThrowsMessage<UserError>(HasSubstr("b.jsonl: it is a ZIP")));
}

TEST_F(Preprocess, SkipsBadDocumentsAndNamesTheFirst) {
  std::string lines = "{\"text\": \"first\"}\n";
  for (int i = 0; i < 7; ++i) lines += "{\"text\": " + std::to_string(i) + "}\n";
  lines += "{\"text\": \"broken\n{\"text\": \"na\xEFve\", \"title\": \"t\"}\n{\"text\": \"last\"}\n";
  PreprocessOptions given = options(write("a.jsonl", lines));
  EXPECT_THAT([&] { preprocess(bytes_, given); }, ThrowsMessage<UserError>(HasSubstr("a.jsonl:2")));
  given.skip_bad = true;
  const PreprocessReport report = preprocess(bytes_, given);
  EXPECT_EQ(report.skipped.count, 9);
  ASSERT_EQ(report.skipped.first.size(), 5u);
  EXPECT_THAT(report.skipped.first[4], HasSubstr("a.jsonl:6: \"text\" must be a string"));
  EXPECT_THAT(to_string(report.skipped), HasSubstr("bad documents skipped: 9; the first:\n"));
  EXPECT_EQ(report.outputs[0].documents, 2);
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("first", "last"));
  given.inputs = {write("all.jsonl", "{}\n{}\n")};
  EXPECT_THAT([&] { preprocess(bytes_, given); },
              ThrowsMessage<UserError>(HasSubstr("bad documents skipped: 2; the first:")));
}

TEST_F(Preprocess, KeysThatCannotBeAreRefusedBeforeAnythingIsRead) {
  PreprocessOptions given = options(write("a.txt", "text\n"));
  given.json_keys = {"a", "b", "a"};
  EXPECT_THAT([&] { preprocess(bytes_, given); },
              ThrowsMessage<UserError>(HasSubstr("\"a\" is given twice")));
  given.json_keys = {"body"};
  EXPECT_THAT([&] { preprocess(bytes_, given); },
              ThrowsMessage<UserError>(HasSubstr("a.txt:1: plain text has no key \"body\"")));
}

TEST_F(Preprocess, ReadsPlainTextInEveryWay) {
  PreprocessOptions given = options(write("a.txt", "one\ntwo\r\n \n\nthree\n"));
  preprocess(bytes_, given);
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("one", "two", "three"));
  given.format = DocumentFormat::paragraphs;
  preprocess(bytes_, given);
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("one\ntwo", "three"));
  given.format = DocumentFormat::whole;
  preprocess(bytes_, given);
  EXPECT_THAT(sequences("out_text_document"), ElementsAre("one\ntwo\r\n \n\nthree\n"));
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
  EXPECT_EQ(preprocess(bytes_, options(path)).outputs[0].documents, 1000);
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
  expect_refusal("{\"text\": 7}\n",
                 "bad.jsonl:1: \"text\" must be a string or a list of strings; it holds a number");
  expect_refusal("[]\n", "bad.jsonl:1: broken JSON at byte 1: expected an object");
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
