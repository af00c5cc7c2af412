#include "kernels/linear.h"

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

struct Case {
  at::Tensor x = random_tensor({5, 3, 8}, 1).requires_grad_();
  at::Tensor weight = random_tensor({6, 8}, 2);
  at::Tensor bias = random_tensor({6}, 3);
  at::Tensor dy = random_tensor({5, 3, 6}, 4);
};

TEST(Linear, WithoutSinksIsAtensLinearWithOrdinaryGradients) {
  Case c;
  const Weight weight = plain_weight(c.weight), bias = plain_weight(c.bias);
  const at::Tensor y = linear(c.x, weight, bias);
  y.backward(c.dy);

  const Weight weight2 = plain_weight(c.weight), bias2 = plain_weight(c.bias);
  const at::Tensor x2 = c.x.detach().clone().requires_grad_();
  const at::Tensor expected = at::linear(x2, weight2.value, bias2.value);
  expected.backward(c.dy);
  expect_close(y, expected, 1e-14);
  expect_close(c.x.grad(), x2.grad(), 1e-14, "input");
  expect_close(weight.value.grad(), weight2.value.grad(), 1e-14, "weight");
  expect_close(bias.value.grad(), bias2.value.grad(), 1e-14, "bias");
}

TEST(Linear, WeightGradientsAddUpInTheSinkAndAutogradGetsNone) {
  Case c;
  const Weight weight = sink_weight(c.weight, at::kDouble), bias = sink_weight(c.bias, at::kDouble);
  int calls = 0;
  const auto subscription = weight.sink->on_accumulated.add([&] { ++calls; });
  for (int i = 0; i < 2; ++i) linear(c.x, weight, bias).backward(c.dy);
  EXPECT_FALSE(weight.value.grad().defined());
  EXPECT_FALSE(bias.value.grad().defined());
  EXPECT_EQ(calls, 2);
  const at::Tensor rows = c.dy.flatten(0, 1);
  expect_close(weight.sink->main_grad, 2.0 * rows.t().mm(c.x.detach().flatten(0, 1)), 1e-14);
  expect_close(bias.sink->main_grad, 2.0 * rows.sum(0), 1e-14);
}

TEST(Linear, ADeferredWeightGradientWaitsForItsCall) {
  Case c;
  const Weight weight = sink_weight(c.weight, at::kDouble);
  std::vector<std::function<void()>> later;
  weight.sink->defer = [&](std::function<void()> work) { later.push_back(std::move(work)); };
  linear(c.x, weight).backward(c.dy);
  EXPECT_TRUE(c.x.grad().defined());
  EXPECT_EQ(weight.sink->main_grad.abs().sum().item<double>(), 0.0);
  ASSERT_EQ(later.size(), 1U);
  later[0]();
  expect_close(weight.sink->main_grad, c.dy.flatten(0, 1).t().mm(c.x.detach().flatten(0, 1)), 1e-14);
}

TEST(Linear, BfloatWeightsAccumulateIntoAFloatBuffer) {
  Case c;
  const Weight weight = sink_weight(c.weight.to(at::kBFloat16));
  const at::Tensor x = c.x.detach().to(at::kBFloat16).requires_grad_();
  linear(x, weight).backward(c.dy.to(at::kBFloat16));
  EXPECT_EQ(weight.sink->main_grad.scalar_type(), at::kFloat);
  expect_close(weight.sink->main_grad, c.dy.flatten(0, 1).t().mm(c.x.detach().flatten(0, 1)), 1e-2);
}

}  // namespace
}  // namespace primus::kernels
