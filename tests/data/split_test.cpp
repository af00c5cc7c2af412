#include "data/split.h"

#include <gtest/gtest.h>

namespace primus::data {
namespace {

SequenceRange range(std::string_view split, std::size_t part, std::int64_t count) {
  return range_of(*split_fractions(split)[part], count);
}

TEST(Split, DividesInTheGivenProportion) {
  EXPECT_EQ(range("95,5,0", 0, 100).end, 95);
  EXPECT_EQ(range("95,5,0", 1, 100).begin, 95);
  EXPECT_EQ(range("95,5,0", 1, 100).end, 100);
  EXPECT_FALSE(split_fractions("95,5,0")[2]);
  EXPECT_EQ(range("969, 30, 1", 1, 1000).begin, 969);
  EXPECT_EQ(range("969, 30, 1", 2, 1000).begin, 999);
  EXPECT_EQ(range("100", 0, 7).end, 7);
  EXPECT_FALSE(split_fractions("100")[1]);
}

TEST(Split, RoundsHalvesToEvenAsPythonDoes) {
  EXPECT_EQ(range("1,1,0", 0, 5).end, 2);
  EXPECT_EQ(range("1,1,0", 0, 7).end, 4);
  EXPECT_EQ(range("1,1,0", 1, 5).begin, 2);
}

TEST(Split, NormalizesManyWeightsWithNumpysRounding) {
  // numpy.sum adds nine values as eight running sums; in order the sum would be 0.8999999999999999.
  const std::vector<double> shares = normalized(std::vector<double>(9, 0.1));
  EXPECT_EQ(shares[0], 0.1 / (((0.1 + 0.1) + (0.1 + 0.1)) + ((0.1 + 0.1) + (0.1 + 0.1)) + 0.1));
}

}  // namespace
}  // namespace primus::data
