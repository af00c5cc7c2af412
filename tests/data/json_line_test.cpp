#include "data/json_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/message_of.h"

namespace primus::data {
namespace {

using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

Texts text_of(std::string_view line) { return json_texts(line, {"text"}).front(); }

std::string refusal_of(const std::string& line) {
  return primus::testing::message_of([&] { text_of(line); });
}

// Expected values are those of Python 3.11's json.loads.

TEST(JsonLine, WhatStandsUnderOtherKeysNeverRefusesALine) {
  for (const char* other :
       {"NaN", "Infinity", "-Infinity", "1e999", "-0.0E+5", R"("\ud800")", R"("\udc00\ud800")", R"("\u0000")",
        "123456789012345678901234567890", "null", R"([{"text": "inner"}, [[]], {}])"}) {
    EXPECT_EQ(text_of(std::string("{\"score\": ") + other + ", \"text\": \"a\"}"), Texts{"a"}) << other;
    EXPECT_EQ(text_of(std::string("{\"text\": \"a\", \"deep\": [") + other + "]}"), Texts{"a"}) << other;
  }
  EXPECT_EQ(text_of("{\"x\": 1" + std::string(5000, '0') + ", \"text\": \"a\"}"), Texts{"a"});
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_EQ(text_of("{\"x\": " + deep + ", \"text\": \"a\"}"), Texts{"a"});
}

TEST(JsonLine, TheLastOfEqualKeysCounts) {
  EXPECT_EQ(text_of(R"({"text": "first", "\u0074ext": "last"})"), Texts{"last"});
  EXPECT_EQ(text_of(R"({"text": NaN, "text": "a"})"), Texts{"a"});
}

TEST(JsonLine, EscapesAreReplaced) {
  EXPECT_EQ(text_of(R"({"text": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"})"), Texts{"\"\\/\b\f\n\r\té😀é"});
  EXPECT_EQ(text_of(R"({"text": "a\u0000b"})"), Texts{std::string("a\0b", 3)});
}

TEST(JsonLine, AListOfStringsIsSeveralTexts) {
  EXPECT_EQ(text_of(R"({"text": ["a", "", "b\u0021"]})"), (Texts{"a", "", "b!"}));
  EXPECT_EQ(text_of(R"({"text": []})"), Texts{});
  const auto both = json_texts(R"({"b": ["x"], "a": "y"})", {"a", "b"});
  EXPECT_EQ(both, (std::vector<Texts>{{"y"}, {"x"}}));
}

TEST(JsonLine, TheKeyAskedForMustHoldText) {
  for (const auto& [value, kind] : {std::pair("NaN", "a number"),
                                    {"1e999", "a number"},
                                    {"null", "null"},
                                    {"{}", "an object"},
                                    {"true", "true"},
                                    {R"(["a", 7])", "a number"},
                                    {R"([["a"]])", "a list"}})
    EXPECT_EQ(refusal_of(std::string("{\"text\": ") + value + "}"),
              std::string("\"text\" must be a string or a list of strings; it holds ") + kind);
  EXPECT_THAT(refusal_of(R"({"text": "\ud83dx"})"), HasSubstr("\"text\" holds half of a surrogate pair"));
  EXPECT_THAT(refusal_of(R"({"body": "a"})"), HasSubstr("no key \"text\""));
}

TEST(JsonLine, BrokenJsonIsNamedWithItsByte) {
  EXPECT_EQ(refusal_of(R"({"text": "a" "b"})"), "broken JSON at byte 14: expected ',' or '}', found '\"'");
  EXPECT_EQ(refusal_of(R"(["a"])"), "broken JSON at byte 1: expected an object, '{...}', found '['");
  EXPECT_EQ(refusal_of("{\"text\": \"a\tb\"}"),
            "broken JSON at byte 12: expected no control characters inside of a string, found the control "
            "character 0x09");
  EXPECT_THAT(refusal_of(R"({"text": "a"} x)"), HasSubstr("byte 15: expected nothing after the object"));
  EXPECT_THAT(refusal_of("\xEF\xBB\xBF{}"), HasSubstr("found a byte-order mark"));
  EXPECT_THAT(refusal_of("{\"text\": \"a\xFF\"}"), HasSubstr("not valid UTF-8 at byte 11"));
  for (const char* cut :
       {R"({"text)", R"({"text":)", R"({"text": "a)", R"({"text": "a")", R"({"text": "a",)"})
    EXPECT_THAT(refusal_of(cut), HasSubstr("each line must hold a whole object")) << cut;
  for (const char* wrong :
       {R"({"text": "a", "x": 01})", R"({"text": "a", "x": .5})", R"({"text": "a", "x": 1.})",
        R"({"text": "a", "x": +1})", R"({"text": "a", "x": nan})", R"({"text": "a", "x": [1,]})",
        R"({"text": "a",})", R"({"text": "\x"})", R"({"text": "\u12g4"})", R"({text: "a"})",
        R"({"text": 'a'})", R"({"text": "a", "x": [}])", R"({"text": "a", "x": --1})",
        R"({"text": "a", "x": -})"})
    EXPECT_THAT(refusal_of(wrong), HasSubstr("broken JSON")) << wrong;
}

}  // namespace
}  // namespace primus::data
