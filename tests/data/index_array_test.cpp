#include "data/index_array.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "tests/data/fixture.h"
#include "tests/temporary_directory.h"

namespace primus::data {
namespace {

std::string to_hex(const std::string& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += digits[static_cast<unsigned char>(byte) >> 4];
    hex += digits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

std::string saved(const IndexArray& array) {
  const primus::testing::TemporaryDirectory directory;
  array.save(directory / "array.npy");
  return to_hex(read_file(directory / "array.npy"));
}

TEST(IndexArray, WritesTheBytesThatNumpyWrites) {
  const auto expected = testing::megatron()["npy"];
  EXPECT_EQ(saved(IndexArray(std::vector<std::int32_t>{1, -2, 3})), expected["int32"]);
  EXPECT_EQ(saved(IndexArray(std::vector<std::uint32_t>{0, 1, 2, 3, 4})), expected["uint32"]);
  EXPECT_EQ(saved(IndexArray(std::vector<std::int64_t>{std::int64_t{1} << 40})), expected["int64"]);
  EXPECT_EQ(saved(IndexArray(std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}, 2)), expected["rows"]);
}

TEST(IndexArray, ReadsWhatItWrote) {
  const primus::testing::TemporaryDirectory directory;
  IndexArray(std::vector<std::int32_t>{7, -1, 3, 4}, 2).save(directory / "a.npy");
  const auto array = IndexArray::load(directory / "a.npy");
  ASSERT_TRUE(array);
  EXPECT_EQ(array->size(), 4);
  EXPECT_EQ((*array)[1], -1);
  EXPECT_EQ(array->type(), IndexArray::Type::int32);
}

TEST(IndexArray, TreatsMissingCutOffAndForeignFilesAsAbsent) {
  const primus::testing::TemporaryDirectory directory;
  EXPECT_FALSE(IndexArray::load(directory / "none.npy"));
  IndexArray(std::vector<std::int64_t>{1, 2, 3}).save(directory / "a.npy");
  const std::string whole = read_file(directory / "a.npy");
  for (const std::size_t size : {std::size_t{0}, std::size_t{9}, std::size_t{60}, whole.size() - 1}) {
    write_file_atomically(directory / "cut.npy", whole.substr(0, size));
    EXPECT_FALSE(IndexArray::load(directory / "cut.npy")) << size;
  }
  write_file_atomically(directory / "text.npy", std::string(200, 'x'));
  EXPECT_FALSE(IndexArray::load(directory / "text.npy"));
}

}  // namespace
}  // namespace primus::data
