#include "parallel/reduction.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"

namespace primus::parallel {
namespace {

/// Odd sizes: blocks that are not full are another path.
at::Tensor parts_of(at::ScalarType dtype) {
  at::manual_seed(3);
  return at::randn({3, 7, 701}, at::kFloat).mul(100).to(dtype);
}

TEST(Reduction, OperatorsGiveTheSameToTheLastBit) {
  for (const at::ScalarType dtype :
       {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt}) {
    for (const Reduction reduction : {Reduction::sum, Reduction::average, Reduction::maximum}) {
      const at::Tensor parts = parts_of(dtype);
      const at::Tensor ours = at::empty({7, 701}, dtype), operators = at::empty_like(ours);
      reduce_in_rank_order(ours, parts, reduction);
      reduce_with_operators(operators, parts, reduction);
      EXPECT_TRUE(at::equal(ours, operators)) << at::toString(dtype) << " " << static_cast<int>(reduction);
    }
  }
}

TEST(Reduction, TheResultMayLieInAPart) {
  const at::Tensor parts = parts_of(at::kFloat), expected = at::empty({7, 701});
  reduce_in_rank_order(expected, parts, Reduction::sum);
  for (const auto reduce : {reduce_in_rank_order, reduce_with_operators}) {
    const at::Tensor copy = parts.clone();
    reduce(copy[1], copy, Reduction::sum);
    EXPECT_TRUE(at::equal(copy[1], expected));
  }
}

TEST(Reduction, ANaNOfAnyRankSurvivesAMaximum) {
  for (int rank = 0; rank < 2; ++rank) {
    const at::Tensor parts = at::ones({2, 1}), out = at::empty({1});
    parts[rank] = std::numeric_limits<float>::quiet_NaN();
    for (const auto reduce : {reduce_in_rank_order, reduce_with_operators}) {
      reduce(out, parts, Reduction::maximum);
      EXPECT_TRUE(out.isnan().item<bool>()) << rank;
    }
  }
}

TEST(Reduction, OtherTypesAreRefused) {
  EXPECT_THROW(reduce_in_rank_order(at::empty({2}, at::kBool), at::empty({1, 2}, at::kBool), Reduction::sum),
               Error);
}

}  // namespace
}  // namespace primus::parallel
