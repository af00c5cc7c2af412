#include "data/indexed_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "data/indexed_writer.h"
#include "tests/data/fixture.h"
#include "tests/temporary_directory.h"

namespace primus::data {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<std::int64_t> tokens_of(const IndexedDataset& dataset, std::int64_t sequence) {
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(dataset.length(sequence)));
  dataset.read(sequence, 0, tokens);
  return tokens;
}

void copy_all(const IndexedDataset& from, IndexedDatasetWriter& to) {
  for (std::int64_t i = 0; i < from.sequence_count(); ++i) {
    const auto tokens = tokens_of(from, i);
    to.add_document(std::vector<std::int32_t>(tokens.begin(), tokens.end()));
  }
}

/// A small dataset whose files a test then damages.
class DamagedDataset : public ::testing::Test {
 protected:
  DamagedDataset() {
    IndexedDatasetWriter writer(prefix_, TokenType::uint16);
    writer.add_document(std::vector<std::int32_t>{1, 2, 3});
    writer.add_document(std::vector<std::int32_t>{4, 5});
    writer.finish();
    index_ = read_file(index_path(prefix_));
  }

  void replace_index(const std::string& content) { std::ofstream(index_path(prefix_)) << content; }
  void expect_refusal(const std::string& part) {
    EXPECT_THAT([&] { IndexedDataset dataset(prefix_); }, ThrowsMessage<UserError>(HasSubstr(part)));
  }

  primus::testing::TemporaryDirectory directory_;
  std::string prefix_ = (directory_ / "data").string();
  std::string index_;
};

TEST(IndexedDataset, AFingerprintTellsTokensApartInTheBlocksThatItReads) {
  const primus::testing::TemporaryDirectory directory;
  const std::string prefix = (directory / "data").string();
  // Larger than all sampled blocks together: 8 MiB.
  const std::vector<std::int32_t> document(4096, 7);
  const auto write = [&](std::int64_t documents) {
    IndexedDatasetWriter writer(prefix, TokenType::uint16);
    for (std::int64_t i = 0; i < documents; ++i) writer.add_document(document);
    writer.finish();
    return IndexedDataset(prefix).fingerprint();
  };
  const std::string before = write(1024);
  EXPECT_EQ(write(1024), before);
  EXPECT_NE(write(1025), before);
  const auto with_byte_changed = [&](std::int64_t at) {
    write(1024);
    std::fstream tokens(tokens_path(prefix), std::ios::in | std::ios::out | std::ios::binary);
    tokens.seekp(at);
    tokens.put(1);
    tokens.close();
    return IndexedDataset(prefix).fingerprint();
  };
  const std::int64_t size = 1024 * 4096 * 2;
  for (const std::int64_t at : {std::int64_t{0}, (size - (64 << 10)) / 63 + 5, size - 1})
    EXPECT_NE(with_byte_changed(at), before) << at;
  EXPECT_EQ(with_byte_changed(100'000), before) << "between two blocks";
}

TEST(IndexedDataset, ReadsWhatMegatronWrote) {
  const IndexedDataset letters(testing::fixture("letters"));
  EXPECT_EQ(letters.sequence_count(), 60);
  EXPECT_EQ(letters.document_count(), 60);
  EXPECT_EQ(letters.token_type(), TokenType::uint16);
  EXPECT_EQ(tokens_of(letters, 0).back(), 0);
  const IndexedDataset digits(testing::fixture("digits"));
  EXPECT_EQ(digits.token_type(), TokenType::int32);
  EXPECT_EQ(digits.sequence_count(), 35);
}

TEST(IndexedDataset, WritesTheBytesThatMegatronWrites) {
  const primus::testing::TemporaryDirectory directory;
  for (const std::string name : {"letters", "digits"}) {
    const IndexedDataset original(testing::fixture(name));
    const std::string prefix = (directory / name).string();
    IndexedDatasetWriter writer(prefix, original.token_type());
    copy_all(original, writer);
    writer.finish();
    EXPECT_EQ(read_file(prefix + ".idx"), read_file(testing::fixture(name + ".idx")));
    EXPECT_EQ(read_file(prefix + ".bin"), read_file(testing::fixture(name + ".bin")));
  }
}

TEST(IndexedDataset, JoinsDatasetsOfTheSameType) {
  const primus::testing::TemporaryDirectory directory;
  const IndexedDataset letters(testing::fixture("letters"));
  const std::string prefix = (directory / "twice").string();
  IndexedDatasetWriter writer(prefix, TokenType::uint16);
  writer.add_dataset(letters);
  writer.add_dataset(letters);
  EXPECT_THROW(writer.add_dataset(IndexedDataset(testing::fixture("digits"))), UserError);
  writer.finish();
  const IndexedDataset twice(prefix);
  EXPECT_EQ(twice.token_count(), 2 * letters.token_count());
  EXPECT_EQ(tokens_of(twice, 61), tokens_of(letters, 1));
  EXPECT_EQ(twice.document_boundaries()[61], 61);
}

TEST(IndexedDataset, ReadsAPartOfASequence) {
  const IndexedDataset letters(testing::fixture("letters"));
  std::vector<std::int64_t> two(2);
  letters.read(0, 1, two);
  EXPECT_EQ(two[0], tokens_of(letters, 0)[1]);
  EXPECT_THROW(letters.read(0, letters.length(0) - 1, two), Error);
}

TEST_F(DamagedDataset, NamesAMissingFile) {
  std::filesystem::remove(tokens_path(prefix_));
  expect_refusal("data.bin does not exist");
  EXPECT_THAT([&] { IndexedDataset dataset(prefix_ + ".bin"); },
              ThrowsMessage<UserError>(HasSubstr("without .bin or .idx")));
}

TEST_F(DamagedDataset, RefusesAFileThatIsNoIndex) {
  replace_index(std::string(100, 'x'));
  expect_refusal("does not begin with MMIDIDX");
  replace_index("");
  expect_refusal("is cut off: 0 bytes");
}

TEST_F(DamagedDataset, RefusesEveryTruncationOfTheIndex) {
  for (std::size_t size = 0; size < index_.size(); ++size) {
    replace_index(index_.substr(0, size));
    EXPECT_THROW(IndexedDataset dataset(prefix_), UserError) << size;
  }
  replace_index(index_ + "x");
  expect_refusal("extra bytes after its end");
}

TEST_F(DamagedDataset, NeverReadsOutsideOfTheFilesWhateverByteIsChanged) {
  for (std::size_t at = 0; at < index_.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string damaged = index_;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      replace_index(damaged);
      try {
        const IndexedDataset dataset(prefix_);
        for (std::int64_t i = 0; i < dataset.sequence_count(); ++i) tokens_of(dataset, i);
      } catch (const UserError&) {
      }
    }
  }
}

TEST_F(DamagedDataset, RefusesTokensThatAreCutOff) {
  write_file_atomically(tokens_path(prefix_), read_file(tokens_path(prefix_)).substr(0, 7));
  expect_refusal("has 7 bytes, but its index");
  expect_refusal("cut off");
}

TEST_F(DamagedDataset, AFailedWriterLeavesTheOldFilesAlone) {
  {
    IndexedDatasetWriter writer(prefix_, TokenType::uint16);
    writer.add_document(std::vector<std::int32_t>{9});
    EXPECT_THAT([&] { writer.add_document(std::vector<std::int32_t>{70000}); },
                ThrowsMessage<UserError>(HasSubstr("70000 does not fit into 2 bytes")));
  }
  EXPECT_EQ(tokens_of(IndexedDataset(prefix_), 0), (std::vector<std::int64_t>{1, 2, 3}));
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    EXPECT_THAT(entry.path().filename().string(), ::testing::AnyOf("data.bin", "data.idx"));
}

TEST(TokenType, IsTwoBytesWhereTheVocabularyFits) {
  EXPECT_EQ(token_type_for(65499), TokenType::uint16);
  EXPECT_EQ(token_type_for(65500), TokenType::int32);
}

}  // namespace
}  // namespace primus::data
