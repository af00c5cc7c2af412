#include "core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, ReadsADocument) {
  EXPECT_EQ(parse_json(R"({"a": [1, -2.5, "x", null, true]})", "f.json").dump(),
            R"({"a":[1,-2.5,"x",null,true]})");
}

TEST(Json, NamesFileAndLineOfWhatIsNotJson) {
  EXPECT_THAT([] { parse_json("{\n\"a\": 1,\n\"b\" 2}", "f.json"); },
              ThrowsMessage<UserError>("f.json:3: this is not JSON"));
  EXPECT_THAT([] { parse_json("{\"a\": \"\xff\"}", "f.json"); },
              ThrowsMessage<UserError>("f.json:1: this is not JSON"));
  for (const char* cut : {"", "{", "{\"a\"", "[1,", "\"x"}) {
    EXPECT_THAT([&] { parse_json(cut, "f.json"); },
                ThrowsMessage<UserError>("f.json:1: this JSON ends before it is complete"))
        << cut;
  }
}

TEST(Json, RefusesNumbersThatDoNotFit) {
  EXPECT_THAT([] { parse_json("[1e999]", "f.json"); },
              ThrowsMessage<UserError>(HasSubstr("f.json: a number")));
}

TEST(Json, PythonsNumbersThatAreNoneBecomeTheirNames) {
  EXPECT_EQ(
      parse_json(R"({"a": NaN, "b": [-Infinity, Infinity], "c\\": "NaN \" Infinity"})", "f.json").dump(),
      R"({"a":"NaN","b":["-Infinity","Infinity"],"c\\":"NaN \" Infinity"})");
  EXPECT_THAT([] { parse_json("[Nan, NaN]", "f.json"); },
              ThrowsMessage<UserError>("f.json:1: this is not JSON"));
}

TEST(Json, RefusesNestingThatWouldUseUpTheStack) {
  EXPECT_NO_THROW(parse_json(nested(100), "f.json"));
  EXPECT_THAT([] { parse_json(nested(1000000), "f.json"); },
              ThrowsMessage<UserError>("f.json: this JSON is nested too deeply"));
}

TEST(Json, TakesWholeNumbersAloneAndWrapsNone) {
  EXPECT_EQ(whole_number<std::int32_t>(nlohmann::json(-5), "id"), -5);
  EXPECT_EQ(whole_number<std::int64_t>(nlohmann::json(INT64_MAX), "id"), INT64_MAX);
  for (const char* other :
       {"1.0", "1e300", "true", "\"1\"", "null", "2147483648", "-2147483649", "18446744073709551615"}) {
    EXPECT_THAT([&] { whole_number<std::int32_t>(nlohmann::json::parse(other), "id"); },
                ThrowsMessage<UserError>("id must be a whole number, at most 2147483647"))
        << other;
  }
}

TEST(Json, SaysInOurWordsWhatAValueIsNot) {
  const nlohmann::json document = {{"a", 1}};
  const auto said = [&](auto read) -> std::string {
    try {
      read();
    } catch (const nlohmann::json::exception& error) {
      return describe(error);
    }
    return "";
  };
  EXPECT_EQ(said([&] { document.at("b"); }), "something is missing in it: key 'b' not found");
  EXPECT_EQ(said([&] { document.at("a").get<std::string>(); }),
            "a value in it has another type than expected: type must be string, but is number");
}

}  // namespace
}  // namespace primus
