#include "kernels/dropout.h"

#include "kernels/random.h"
#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

DropoutKey key_for(std::int64_t positions, std::int64_t samples, std::int64_t columns) {
  const at::Tensor index = at::arange(samples).unsqueeze(0) * positions + at::arange(positions).unsqueeze(1);
  return {RandomStream(1234, "dropout/1/0/hidden").key, index, 0, columns};
}

TEST(Dropout, ZeroesTheGivenShareAndScalesTheRest) {
  const at::Tensor x = at::ones({100, 4, 64});
  const at::Tensor y = dropout(x, 0.3, key_for(100, 4, 64));
  const double kept = y.ne(0).to(at::kDouble).mean().item<double>();
  EXPECT_NEAR(kept, 0.7, 0.01);
  expect_close(y.masked_select(y.ne(0)), at::full({y.ne(0).sum().item<std::int64_t>()}, 1.0 / 0.7), 1e-6);
}

TEST(Dropout, TheGradientMeetsTheSameMask) {
  const at::Tensor x = random_tensor({6, 2, 10}, 1).requires_grad_();
  const DropoutKey key = key_for(6, 2, 10);
  dropout(x, 0.5, key).sum().backward();
  expect_close(x.grad(), dropout(at::ones_like(x), 0.5, key), 1e-15);
}

TEST(Dropout, EveryElementDrawsByItsGlobalIndex) {
  const DropoutKey key = key_for(6, 2, 10);
  const at::Tensor y = dropout(at::ones({6, 2, 10}), 0.5, key);
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int c = 0; c < 10; ++c) {
        EXPECT_EQ(y[i][j][c].item<float>() != 0.0F, dropout_keeps(key.key, (j * 6 + i) * 10 + c, 0.5));
      }
    }
  }
}

TEST(Dropout, PartsOfSequenceSamplesAndColumnsDrawTheMaskOfTheWhole) {
  const at::Tensor x = random_tensor({6, 4, 10}, 1);
  const DropoutKey whole = key_for(6, 4, 10);
  const at::Tensor expected = dropout(x, 0.4, whole);
  DropoutKey part = whole;
  part.token_index = whole.token_index.slice(0, 2, 5).slice(1, 1, 3);
  part.first_column = 3;
  const auto cut = [](const at::Tensor& t) { return t.slice(0, 2, 5).slice(1, 1, 3).slice(2, 3, 10); };
  EXPECT_TRUE(at::equal(dropout(cut(x), 0.4, part), cut(expected)));
}

TEST(BiasDropoutAdd, AddsTheBiasBeforeAndTheResidualAfterDropout) {
  const at::Tensor x = random_tensor({6, 2, 10}, 1), residual = random_tensor({6, 2, 10}, 2);
  const Weight bias = plain_weight(random_tensor({10}, 3));
  const DropoutKey key = key_for(6, 2, 10);
  expect_close(bias_dropout_add(x, bias, residual, 0.5, key),
               residual + dropout(x + bias.value.detach(), 0.5, key), 1e-15);
  expect_close(bias_dropout_add(x, {}, residual, 0.0, {}), residual + x, 1e-15);
}

}  // namespace
}  // namespace primus::kernels
