#include "kernels/main_weight.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace primus::kernels {
namespace {

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

/// What the bits of a main weight become; said with the neighbours instead of with remainders.
std::uint32_t expected_bits(std::uint32_t bits) {
  const auto rounded = c10::BFloat16(std::bit_cast<float>(bits)).x;
  const bool tie = (bits & 0xFFFFU) == 0x8000U;
  const bool towards_zero = rounded == bits >> 16;
  return tie && towards_zero ? bits - 1 : bits;
}

/// Every sign, exponent and upper mantissa, each with all kinds of lower bits.
template <typename Check>
void for_all_kinds(const Check& check) {
  std::mt19937 random(7);
  for (std::uint32_t high = 0; high <= 0xFFFFU; ++high) {
    for (const std::uint32_t low : {0x0000U, 0x0001U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU})
      check(high << 16 | low);
    for (int i = 0; i < 64; ++i) check(high << 16 | (random() & 0xFFFFU));
  }
}

TEST(MainWeight, IsRoundedAsPyTorchRounds) {
  std::int64_t wrong = 0;
  for_all_kinds([&](std::uint32_t bits) {
    const float main = std::bit_cast<float>(bits);
    wrong += bfloat16_bits(main) != c10::BFloat16(main).x ? 1 : 0;
  });
  EXPECT_EQ(wrong, 0);
}

TEST(MainWeight, ComesBackFromItsRoundingAndRemainderButForTiesThatAreRoundedTowardsZero) {
  std::int64_t wrong = 0, changed = 0, unstable = 0;
  for_all_kinds([&](std::uint32_t bits) {
    const float main = std::bit_cast<float>(bits);
    if (std::isnan(main)) return;
    const std::uint16_t rounded = bfloat16_bits(main);
    const float back = main_weight(rounded, main_weight_remainder(main));
    wrong += bits_of(back) != expected_bits(bits) ? 1 : 0;
    changed += bits_of(back) != bits ? 1 : 0;
    // What came back is kept as it is, and has the same rounding.
    unstable += bfloat16_bits(back) != rounded ? 1 : 0;
    unstable += bits_of(main_weight(rounded, main_weight_remainder(back))) != bits_of(back) ? 1 : 0;
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(changed, 0);
  EXPECT_EQ(unstable, 0);
}

TEST(MainWeight, ATieMovesByOneNumberTowardsItsRounding) {
  // Above 1 and -1 the even neighbour is nearer to zero, above 1 + 2^-7 it is not.
  for (const std::uint32_t bits : {0x3F808000U, 0xBF808000U, 0x00008000U, 0x80008000U}) {
    const float main = std::bit_cast<float>(bits);
    EXPECT_EQ(bits_of(main_weight(bfloat16_bits(main), main_weight_remainder(main))), bits - 1);
  }
  const float exact = std::bit_cast<float>(0x3F818000U);
  EXPECT_EQ(bfloat16_bits(exact), 0x3F82U);
  EXPECT_EQ(main_weight(0x3F82U, main_weight_remainder(exact)), exact);
}

TEST(MainWeight, SurvivesARoundingToInfAndStaysNaN) {
  const float largest = std::numeric_limits<float>::max(), inf = std::numeric_limits<float>::infinity();
  for (const float main : {largest, -largest, inf, -inf}) {
    EXPECT_TRUE(std::isinf(static_cast<float>(c10::BFloat16(main))));
    EXPECT_EQ(main_weight(bfloat16_bits(main), main_weight_remainder(main)), main);
  }
  for_all_kinds([](std::uint32_t bits) {
    const float main = std::bit_cast<float>(bits);
    if (std::isnan(main) && !std::isnan(main_weight(bfloat16_bits(main), main_weight_remainder(main))))
      ADD_FAILURE() << bits;
  });
}

TEST(MainWeight, TensorsAreJoinedAndSplitElementByElementInAnyLayout) {
  const at::Tensor main = at::randn({37, 53}) * at::pow(10, at::randn({37, 53}));
  at::Tensor weights = at::zeros({37, 100}, at::kBFloat16), remainders = at::zeros({37, 100}, at::kShort);
  const at::Tensor w = weights.narrow(1, 20, 53), r = remainders.narrow(1, 20, 53);
  split_main_weights(main, w, r);
  EXPECT_TRUE(at::equal(w, main.to(at::kBFloat16)));
  EXPECT_EQ(weights.count_nonzero().item<std::int64_t>(), w.count_nonzero().item<std::int64_t>());
  const at::Tensor back = join_main_weights(w, r);
  EXPECT_LE((back.view(at::kInt) - main.view(at::kInt)).abs().max().item<int>(), 1);
  EXPECT_TRUE(at::equal(join_main_weights(w.contiguous(), r.contiguous()), back));
  split_main_weights(at::ones({37, 53}, at::kDouble), w, r);
  EXPECT_TRUE(at::equal(join_main_weights(w, r), at::ones({37, 53})));
}

}  // namespace
}  // namespace primus::kernels
