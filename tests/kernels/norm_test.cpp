#include "kernels/norm.h"

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  const at::Tensor x = at::tensor({3.0, 4.0}).view({1, 2});
  const Weight weight = plain_weight(at::tensor({2.0, 0.5}));
  const double root_mean_square = std::sqrt(12.5 + 1e-5);
  expect_close(rms_norm(x, weight, 1e-5),
               at::tensor({3.0 * 2.0 / root_mean_square, 4.0 * 0.5 / root_mean_square}).view({1, 2}), 1e-15);
}

TEST(RmsNorm, GradientsEqualTheFormulas) {
  const at::Tensor x = random_tensor({7, 2, 16}, 1).requires_grad_();
  const at::Tensor dy = random_tensor({7, 2, 16}, 2);
  const Weight weight = sink_weight(random_tensor({16}, 3), at::kDouble);
  rms_norm(x, weight, 1e-6).backward(dy);
  // With r = rsqrt(mean x² + ε) and g = dy ∘ w: dx = r·g - x·r³·mean(g ∘ x), dw = Σ dy ∘ x·r.
  const at::Tensor value = x.detach(), w = weight.value.detach();
  const at::Tensor r = at::rsqrt(value.square().mean(-1, true) + 1e-6);
  const at::Tensor g = dy * w;
  expect_close(x.grad(), r * g - value * r.pow(3) * (g * value).mean(-1, true), 1e-13);
  expect_close(weight.sink->main_grad, (dy * value * r).sum(at::IntArrayRef{0, 1}), 1e-13);
  EXPECT_FALSE(weight.value.grad().defined());
}

TEST(RmsNorm, AZeroCenteredWeightOfZeroIsAFactorOfOne) {
  const at::Tensor x = random_tensor({3, 8}, 1);
  expect_close(rms_norm(x, plain_weight(at::zeros({8}, at::kDouble)), 1e-5, true),
               rms_norm(x, plain_weight(at::ones({8}, at::kDouble)), 1e-5, false), 1e-15);
}

TEST(RmsNorm, IsComputedInFloatForBfloatInput) {
  const at::Tensor x = (random_tensor({4, 256}, 1) + 100.0).to(at::kBFloat16);
  const at::Tensor weight = random_tensor({256}, 2).to(at::kBFloat16);
  const at::Tensor y = rms_norm(x, plain_weight(weight), 1e-5);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  const at::Tensor exact = rms_norm(x.to(at::kDouble), plain_weight(weight.to(at::kDouble)), 1e-5);
  EXPECT_TRUE(at::allclose(y.to(at::kDouble), exact, /*rtol=*/0x1.0p-8, /*atol=*/0.0));
}

TEST(LayerNorm, EqualsItsDefinitionAndItsGradientsEqualTheFormulas) {
  const at::Tensor x = random_tensor({5, 3, 12}, 1).requires_grad_();
  const at::Tensor dy = random_tensor({5, 3, 12}, 2);
  const Weight weight = sink_weight(random_tensor({12}, 3), at::kDouble);
  const Weight bias = sink_weight(random_tensor({12}, 4), at::kDouble);
  const at::Tensor y = layer_norm(x, weight, bias, 1e-5);
  y.backward(dy);
  const at::Tensor value = x.detach(), w = weight.value.detach();
  const at::Tensor centered = value - value.mean(-1, true);
  const at::Tensor r = at::rsqrt(centered.square().mean(-1, true) + 1e-5);
  const at::Tensor normal = centered * r;
  const at::Tensor g = dy * w;
  expect_close(y, normal * w + bias.value.detach(), 1e-13);
  expect_close(x.grad(), r * (g - g.mean(-1, true) - normal * (g * normal).mean(-1, true)), 1e-12);
  expect_close(weight.sink->main_grad, (dy * normal).sum(at::IntArrayRef{0, 1}), 1e-13);
  expect_close(bias.sink->main_grad, dy.sum(at::IntArrayRef{0, 1}), 1e-13);
}

}  // namespace
}  // namespace primus::kernels
