#include "core/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus {
namespace {

TEST(Utf8, DecodesWhatItEncodes) {
  for (const char32_t value :
       {U'\0', U'a', U'\x7F', U'\x80', U'\x7FF', U'\x800', U'\xFFFF', U'\x10000', U'\x10FFFF'}) {
    std::string text;
    append_utf8(text, value);
    const CodePoint character = decode_utf8(text, 0);
    EXPECT_EQ(character.value, value);
    EXPECT_EQ(character.size, text.size());
  }
}

TEST(Utf8, RefusesOverlongSurrogateCutOffAndTooLargeForms) {
  for (const char* text :
       {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80", "\xFF"})
    EXPECT_EQ(decode_utf8(text, 0).size, 0u);
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("plain text, long enough for blocks \xC3\xA4"), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("0123456789\xC3x"), 10u);
  EXPECT_THAT([] { require_utf8("a\xFF"); },
              ::testing::ThrowsMessage<UserError>(::testing::HasSubstr("at byte 1 (0xff)")));
}

}  // namespace
}  // namespace primus
