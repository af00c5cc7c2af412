#include "config/layer_pattern.h"

#include <gtest/gtest.h>

#include <numeric>

namespace primus::config {
namespace {

TEST(LayerPattern, ReadsIntegersListsAndExpressions) {
  EXPECT_EQ(parse_layer_pattern("2"), (LayerPattern{2, {}}));
  EXPECT_EQ(parse_layer_pattern("[0, 1, 1]"), (LayerPattern{1, {0, 1, 1}}));
  EXPECT_EQ(parse_layer_pattern("([0]*3+[1]*2)"), (LayerPattern{1, {0, 0, 0, 1, 1}}));
  EXPECT_EQ(parse_layer_pattern("([1]*2+[0])*2"), (LayerPattern{1, {1, 1, 0, 1, 1, 0}}));
  EXPECT_EQ(parse_layer_pattern("2*3"), (LayerPattern{6, {}}));
}

TEST(LayerPattern, RefusesWhatIsNone) {
  for (const char* text :
       {"", "([0]*2+", "[0]*[1]", "[0]+1", "0", "-1", "x", "[[0]]", "[1]]", "__import__('os')"}) {
    EXPECT_EQ(parse_layer_pattern(text), std::nullopt) << text;
  }
}

TEST(LayerPattern, RefusesListsWithoutEnd) {
  EXPECT_EQ(parse_layer_pattern("[1]*9223372036854775807"), std::nullopt);
  EXPECT_EQ(parse_layer_pattern("([1]*1000)*1000*1000"), std::nullopt);
  EXPECT_EQ(parse_layer_pattern(std::string(100000, '(')), std::nullopt);
}

TEST(LayerPattern, EveryNthLayerIsSpecialStartingWithTheFirst) {
  const LayerPattern pattern{3, {}};
  EXPECT_TRUE(pattern.contains(0));
  EXPECT_FALSE(pattern.contains(1));
  EXPECT_TRUE(pattern.contains(3));
  EXPECT_EQ(pattern.count(3), 1);
  EXPECT_EQ(pattern.count(4), 2);
  EXPECT_EQ((LayerPattern{1, {0, 1, 1, 1}}.count(3)), 2);
}

}  // namespace
}  // namespace primus::config
