#include "observe/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

#include "tests/temporary_directory.h"

namespace primus::observe {
namespace {

using ::testing::StartsWith;
using testing::TemporaryDirectory;

std::uint32_t crc_of(std::string_view text) { return crc32c(std::as_bytes(std::span(text))); }

TEST(Crc32c, HasTheKnownValues) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc_of(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc_of("123456789"), 0xE3069283U);
}

/// The bytes of the second record's event without its wall time, and checks of the framing.
std::string second_event(const std::string& content) {
  std::string event;
  std::size_t position = 0;
  for (int record = 0; record < 2; ++record) {
    std::uint64_t length = 0;
    std::uint32_t crc = 0;
    std::memcpy(&length, content.data() + position, 8);
    std::memcpy(&crc, content.data() + position + 8, 4);
    EXPECT_EQ(crc, masked_crc32c(std::as_bytes(std::span(content).subspan(position, 8))));
    event = content.substr(position + 12, length);
    std::memcpy(&crc, content.data() + position + 12 + length, 4);
    EXPECT_EQ(crc, masked_crc32c(std::as_bytes(std::span(event))));
    position += 12 + length + 4;
  }
  EXPECT_EQ(position, content.size());
  return event.substr(9);
}

TEST(TensorBoardWriter, EncodesScalarsAsTheOriginalLibraryReadsThem) {
  const TemporaryDirectory folder;
  TensorBoardWriter writer(folder / "tensorboard");
  writer.add(300, {{"lm loss", 0.5}, {"a", -2.0}});
  EXPECT_THAT(writer.path().filename().string(), StartsWith("events.out.tfevents."));
  // step = 300; summary of two values. Read back by PyPI's tensorboard in tests/parity/read_tensorboard.py.
  const std::string expected = std::string("\x10\xAC\x02\x2A\x1A", 5) +
                               std::string("\x0A\x0E\x0A\x07lm loss\x15\0\0\0\x3F", 16) +
                               std::string(
                                   "\x0A\x08\x0A\x01"
                                   "a\x15\0\0\0\xC0",
                                   10);
  EXPECT_EQ(second_event(read_file(writer.path())), expected);
}

}  // namespace
}  // namespace primus::observe
