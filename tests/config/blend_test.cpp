#include "config/blend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/message_of.h"

namespace primus::config {
namespace {

using primus::testing::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

TEST(Split, IsOneToThreeNumbersBetweenCommasOrBlanks) {
  EXPECT_THAT(parse_split("969, 30, 1"), ElementsAre(969, 30, 1));
  EXPECT_THAT(parse_split(" 95 5\t0 "), ElementsAre(95, 5, 0));
  EXPECT_THAT(parse_split("0.5,.25"), ElementsAre(0.5, 0.25, 0));
  EXPECT_THAT(parse_split("100"), ElementsAre(100, 0, 0));
  EXPECT_THAT(parse_split("9e1,+10,0."), ElementsAre(90, 10, 0));
}

TEST(Split, NoNumberIsSearchedForInAText) {
  for (const char* text : {"",         " ",         "a,b,c",     "-1,1,0",  "nan,1,1",
                           "inf,1,1",  "90,abc5,5", "90abc,5,5", "1..2,3",  "[95,5,0]",
                           "95/5/0",   "95,5,",     "95,,5",     "1,2,3,4", "1 2 3 4",
                           "0x10,1,1", "1_0,1,1",   "1e999,1,1", "0,0,0",   "1e308,1e308,1e308",
                           "95 5,0"})
    EXPECT_THAT(message_of([&] { parse_split(text); }),
                ::testing::StartsWith("\"" + std::string(text) + "\": "))
        << text;
  EXPECT_THAT(message_of([] { parse_split("90,abc5,5"); }), HasSubstr("\"abc5\" must be a number"));
}

TEST(Blend, IsPathsOrWeightsAndPathsInTurn) {
  EXPECT_EQ(parse_blend({"a", "b", "c"}).paths, (Texts{"a", "b", "c"}));
  EXPECT_FALSE(parse_blend({"a", "b"}).weights);
  EXPECT_FALSE(parse_blend({"7"}).weights);
  EXPECT_EQ(parse_blend({" a b\n"}).paths, Texts{"a b"});
  const Blend blend = parse_blend({"0.3", "a", "+7e-1", "b"});
  EXPECT_EQ(blend.paths, (Texts{"a", "b"}));
  EXPECT_EQ(blend.weights, (std::vector<double>{0.3, 0.7}));
}

TEST(Blend, NamesWhatStandsInTheWrongPlace) {
  const auto refusal_of = [](const Texts& items) { return message_of([&] { parse_blend(items); }); };
  EXPECT_THAT(refusal_of({"0.3", "a", "b", "c"}),
              HasSubstr("\"0.3 a b c\": found b where a weight is expected"));
  EXPECT_THAT(refusal_of({"a", "0.3", "b", "0.7"}), HasSubstr("found 0.3 where a path is expected"));
  EXPECT_THAT(refusal_of({"0.3", "a", "b"}), HasSubstr("found 0.3 where a path is expected"));
  EXPECT_THAT(refusal_of({"0.3", "0.7"}), HasSubstr("found 0.7 where a path is expected"));
  EXPECT_THAT(refusal_of({"0.3", "/my", "corpus", "0.7", "/b"}), HasSubstr("a string is split at spaces"));
  EXPECT_EQ(refusal_of({"-1", "a", "1", "b"}), "\"-1 a 1 b\": the weight of a must be positive, not -1");
  EXPECT_EQ(refusal_of({"0", "a"}), "\"0 a\": the weight of a must be positive, not 0");
  EXPECT_EQ(refusal_of({"1e999", "a"}), "\"1e999 a\": the weight of a must be positive, not 1e999");
  EXPECT_THAT(refusal_of({"1", "a", "nan", "b"}), HasSubstr("found nan where a weight is expected"));
}

}  // namespace
}  // namespace primus::config
