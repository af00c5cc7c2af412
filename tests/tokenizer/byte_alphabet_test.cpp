#include "tokenizer/byte_alphabet.h"

#include <gtest/gtest.h>

namespace primus::tokenizer {
namespace {

TEST(ByteAlphabet, StandsForEveryByteOnce) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(bytes)), bytes);
  EXPECT_EQ(to_byte_alphabet(" a\n"),
            "\xC4\xA0"
            "a\xC4\x8A");
  EXPECT_EQ(from_byte_alphabet("\xE6\x97\xA5"), std::nullopt);
}

}  // namespace
}  // namespace primus::tokenizer
