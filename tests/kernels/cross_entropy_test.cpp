#include "kernels/cross_entropy.h"

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

const at::Tensor labels() { return at::tensor({3, 0, 7, 3, 5, 1}, at::kLong).view({3, 2}); }

/// -log softmax of the label, by ATen's autograd in fp64.
at::Tensor losses_by_definition(const at::Tensor& logits) {
  return -at::log_softmax(logits, -1).gather(-1, labels().unsqueeze(-1)).squeeze(-1);
}

TEST(CrossEntropy, EqualsMinusLogSoftmaxWithItsGradient) {
  const at::Tensor logits = (random_tensor({3, 2, 8}, 1) * 5.0).requires_grad_();
  const at::Tensor upstream = random_tensor({3, 2}, 2);
  const at::Tensor loss = cross_entropy(logits, labels());
  loss.backward(upstream);
  const at::Tensor logits2 = logits.detach().clone().requires_grad_();
  const at::Tensor expected = losses_by_definition(logits2);
  expected.backward(upstream);
  expect_close(loss, expected, 1e-14);
  expect_close(logits.grad(), logits2.grad(), 1e-14);
}

TEST(CrossEntropy, LargeLogitsNeitherOverflowNorVanish) {
  const at::Tensor logits = at::full({3, 2, 8}, 1e4, at::kFloat);
  expect_close(cross_entropy(logits, labels()), at::full({3, 2}, std::log(8.0), at::kFloat), 1e-6);
}

TEST(CrossEntropy, PartsOfTheVocabularyCombineToTheWhole) {
  const at::Tensor logits = random_tensor({3, 2, 8}, 1) * 5.0;
  const at::Tensor upstream = random_tensor({3, 2}, 2);
  // Two holders of four columns each; the statistics of both are gathered before either goes on.
  LogitStatistics parts[2];
  for (int i = 0; i < 2; ++i) {
    cross_entropy(logits.slice(-1, 4 * i, 4 * i + 4), labels(),
                  {4 * i, [&](LogitStatistics& statistics) { parts[i] = statistics; }});
  }
  const auto combine = [&](LogitStatistics& all) {
    all.maximum = at::maximum(parts[0].maximum, parts[1].maximum);
    all.sum_of_exponentials = at::zeros_like(all.maximum);
    all.label_logit = at::zeros_like(all.maximum);
    for (const LogitStatistics& part : parts) {
      all.sum_of_exponentials += part.sum_of_exponentials * (part.maximum - all.maximum).exp();
      all.label_logit += part.label_logit;
    }
  };
  const at::Tensor whole = logits.clone().requires_grad_();
  const at::Tensor expected = losses_by_definition(whole);
  expected.backward(upstream);
  for (int i = 0; i < 2; ++i) {
    const at::Tensor part = logits.slice(-1, 4 * i, 4 * i + 4).clone().requires_grad_();
    const at::Tensor loss = cross_entropy(part, labels(), {4 * i, combine});
    loss.backward(upstream);
    expect_close(loss, expected, 1e-14);
    expect_close(part.grad(), whole.grad().slice(-1, 4 * i, 4 * i + 4), 1e-13);
  }
}

/// The losses of an output layer by their definition, with the gradients of hidden states and weight.
std::vector<at::Tensor> output_layer_by_definition(const at::Tensor& hidden, const Weight& weight,
                                                   double softcap, const at::Tensor& upstream) {
  const at::Tensor x = hidden.detach().clone().requires_grad_();
  const Weight plain = plain_weight(weight.value);
  at::Tensor logits = at::linear(x, plain.value);
  if (softcap > 0.0) logits = softcap * at::tanh(logits / softcap);
  const at::Tensor losses = losses_by_definition(logits);
  losses.backward(upstream);
  return {losses.detach(), x.grad(), plain.value.grad()};
}

TEST(LinearCrossEntropy, EqualsItsParts) {
  const at::Tensor upstream = random_tensor({3, 2}, 3);
  for (const double softcap : {0.0, 2.0}) {
    const at::Tensor hidden = random_tensor({3, 2, 5}, 1).requires_grad_();
    const Weight weight = sink_weight(random_tensor({8, 5}, 2), at::kDouble);
    const auto expected = output_layer_by_definition(hidden, weight, softcap, upstream);
    const at::Tensor loss = linear_cross_entropy(hidden, weight, labels(), {}, softcap);
    loss.backward(upstream);
    expect_close(loss, expected[0], 1e-14);
    expect_close(hidden.grad(), expected[1], 1e-13);
    expect_close(weight.sink->main_grad, expected[2], 1e-13);
  }
}

TEST(LinearCrossEntropy, TakesItsGradientsAtOnce) {
  const at::Tensor upstream = random_tensor({3, 2}, 3), hidden = random_tensor({3, 2, 5}, 1);
  for (const double softcap : {0.0, 2.0}) {
    for (const bool with_sink : {true, false}) {
      const at::Tensor value = random_tensor({8, 5}, 2);
      const Weight weight = with_sink ? sink_weight(value, at::kDouble) : plain_weight(value);
      const auto expected = output_layer_by_definition(hidden, weight, softcap, upstream);
      const OutputLayerLoss result =
          linear_cross_entropy_with_gradients(hidden, weight, labels(), upstream, {}, softcap);
      expect_close(result.losses, expected[0], 1e-14);
      expect_close(result.hidden_gradient, expected[1], 1e-13);
      EXPECT_EQ(result.weight_gradient.defined(), !with_sink);
      expect_close(with_sink ? weight.sink->main_grad : result.weight_gradient, expected[2], 1e-13);
    }
  }
}

}  // namespace
}  // namespace primus::kernels
