#include "core/json_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/message_of.h"

namespace primus {
namespace {

using nlohmann::json;
using primus::testing::message_of;
using ::testing::ElementsAre;

TEST(JsonObject, KeysThatNobodyReadAreNamed) {
  const json document = {{"read", 1}, {"ignored", 2}, {"missed", 3}, {"empty", nullptr}};
  const JsonObject object(document);
  object.get<std::int64_t>("read");
  object.ignore("ignored");
  EXPECT_THAT(object.unread(), ElementsAre("missed"));
  EXPECT_EQ(message_of([&] { JsonObject::read_all(document, "", [](const JsonObject&) {}); }),
            "'ignored' is not a known key, and ignoring it could change the result");
}

TEST(JsonObject, NullCountsAsAbsent) {
  const json document = {{"a", nullptr}};
  const JsonObject object(document);
  EXPECT_TRUE(object.contains("a"));
  EXPECT_FALSE(object.has("a"));
  EXPECT_EQ(object.get("a", 2.5), 2.5);
  EXPECT_EQ(message_of([&] { object.get<bool>("a"); }), "'a' is missing");
}

TEST(JsonObject, MessagesNameThePlace) {
  const auto message = [](const json& steps) {
    const json document = {{"steps", steps}};
    return message_of([&] {
      JsonObject(document, "top").each("steps", [](const JsonObject& step) { step.get<bool>("on"); });
    });
  };
  EXPECT_EQ(message(json::array({{{"on", true}}, {{"on", "yes"}}})),
            "'top.steps[1].on' is \"yes\", which is not true or false");
  EXPECT_EQ(message(json::array({7})), "'top.steps[0]': this is not a JSON object");
  EXPECT_EQ(message(7), "'top.steps' is 7, which is not a list");
}

TEST(JsonObject, TakesNoValueOfAnotherType) {
  const json document = {
      {"number", 1.5}, {"flag", 1}, {"text", true}, {"whole", 1e300}, {"large", UINT64_MAX}};
  const JsonObject object(document);
  EXPECT_EQ(object.get<double>("number"), 1.5);
  EXPECT_EQ(message_of([&] { object.get<bool>("flag"); }), "'flag' is 1, which is not true or false");
  EXPECT_EQ(message_of([&] { object.get<std::string>("text"); }), "'text' is true, which is not a text");
  for (const char* key : {"number", "whole", "large"})
    EXPECT_NE(message_of([&] { object.get<std::int64_t>(key); }), "accepted") << key;
  EXPECT_EQ(message_of([&] { object.require_unused("number", {0, 1}); }), "'number': 1.5 is not supported");
  EXPECT_NO_THROW(object.require_unused("number", {1.5}));
}

TEST(JsonObject, TheFileIsNamedInFrontOfWhateverIsWrong) {
  const json document = {{"a", 1}};
  EXPECT_EQ(message_of([&] { in_file("f.json", [&] { JsonObject(document).get<bool>("a"); }); }),
            "f.json: 'a' is 1, which is not true or false");
  EXPECT_EQ(message_of([&] { in_file("f.json", [&] { return document.at("b"); }); }),
            "f.json: something is missing in it: key 'b' not found");
}

}  // namespace
}  // namespace primus
