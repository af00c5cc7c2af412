#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "kernels/random.h"
#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

struct Shape {
  std::int64_t queries = 7, keys = 7, samples = 2, groups = 2, per_group = 3, dim = 8, value_dim = 8;
};

AttentionInputs random_inputs(const Shape& shape) {
  AttentionInputs inputs;
  inputs.query = random_tensor({shape.queries, shape.samples, shape.groups, shape.per_group, shape.dim}, 1);
  inputs.key = random_tensor({shape.keys, shape.samples, shape.groups, shape.dim}, 2);
  inputs.value = random_tensor({shape.keys, shape.samples, shape.groups, shape.value_dim}, 3);
  return inputs;
}

/// Attention written over the whole [b, g, r, s, t], differentiated by autograd.
at::Tensor attention_by_definition(const AttentionInputs& inputs, const AttentionConfig& config,
                                   const at::Tensor& sinks = {}, const at::Tensor& factors = {}) {
  const std::int64_t queries = inputs.query.size(0), keys = inputs.key.size(0);
  const double scale = config.scale != 0 ? config.scale : 1.0 / std::sqrt(inputs.query.size(-1));
  at::Tensor scores = at::einsum("sbgrd,tbgd->bgrst", {inputs.query, inputs.key}) * scale;
  if (config.softcap > 0) scores = config.softcap * at::tanh(scores / config.softcap);
  at::Tensor allowed = at::ones({inputs.query.size(1), queries, keys}, at::kBool);
  for (std::int64_t b = 0; b < allowed.size(0); ++b) {
    for (std::int64_t i = 0; i < queries; ++i) {
      for (std::int64_t j = 0; j < keys; ++j) {
        const std::int64_t p = config.query_offset + i;
        bool see = !config.causal || j <= p;
        if (config.window_left >= 0) see = see && j >= p - config.window_left;
        if (config.window_right >= 0) see = see && j <= p + config.window_right;
        if (inputs.query_documents.defined()) {
          see = see && inputs.query_documents[i][b].item<int>() == inputs.key_documents[j][b].item<int>();
        }
        allowed[b][i][j] = see;
      }
    }
  }
  scores = scores.masked_fill(allowed.unsqueeze(1).unsqueeze(1).logical_not(),
                              -std::numeric_limits<double>::infinity());
  if (sinks.defined()) {
    const at::Tensor column = sinks.view({1, inputs.query.size(2), inputs.query.size(3), 1, 1});
    scores = at::cat({scores, column.expand({scores.size(0), -1, -1, queries, 1})}, -1);
  }
  at::Tensor probabilities = at::softmax(scores, -1).slice(-1, 0, keys);
  if (factors.defined()) probabilities = probabilities * factors;
  return at::einsum("bgrst,tbgd->sbgrd", {probabilities, inputs.value}).flatten(2);
}

AttentionInputs with_gradients(const AttentionInputs& inputs) {
  AttentionInputs copy = inputs;
  for (at::Tensor* x : {&copy.query, &copy.key, &copy.value}) *x = x->detach().clone().requires_grad_();
  return copy;
}

void expect_equal_to_definition(const Shape& shape, const AttentionConfig& config, const std::string& what,
                                const at::Tensor& documents = {}, const at::Tensor& sink_values = {},
                                const AttentionDropout& dropout = {}, const at::Tensor& factors = {}) {
  AttentionInputs inputs = random_inputs(shape);
  inputs.query_documents = inputs.key_documents = documents;
  const AttentionInputs actual = with_gradients(inputs), expected = with_gradients(inputs);
  std::optional<Weight> sinks;
  at::Tensor expected_sinks;
  if (sink_values.defined()) {
    sinks = sink_weight(sink_values, at::kDouble);
    expected_sinks = sink_values.clone().requires_grad_();
  }
  const at::Tensor y = attention(actual, config, sinks, dropout);
  const at::Tensor reference = attention_by_definition(expected, config, expected_sinks, factors);
  expect_close(y, reference, 1e-13, what);
  const at::Tensor dy = random_tensor(y.sizes(), 4);
  y.backward(dy);
  reference.backward(dy);
  expect_close(actual.query.grad(), expected.query.grad(), 1e-12, what + " dq");
  expect_close(actual.key.grad(), expected.key.grad(), 1e-12, what + " dk");
  expect_close(actual.value.grad(), expected.value.grad(), 1e-12, what + " dv");
  if (sinks) expect_close(sinks->sink->main_grad, expected_sinks.grad(), 1e-12, what + " sinks");
}

TEST(Attention, EqualsItsDefinitionForEveryOption) {
  expect_equal_to_definition({}, {}, "causal");
  expect_equal_to_definition({}, {.causal = false}, "full");
  expect_equal_to_definition({.queries = 5, .keys = 9}, {.causal = false}, "cross");
  expect_equal_to_definition({.queries = 3, .keys = 9}, {.query_offset = 6}, "cached keys");
  expect_equal_to_definition({}, {.window_left = 2}, "window");
  expect_equal_to_definition({}, {.causal = false, .window_left = 2, .window_right = 1}, "two-sided window");
  expect_equal_to_definition({}, {.softcap = 1.5}, "softcap");
  expect_equal_to_definition({}, {.scale = 0.7}, "scale");
  expect_equal_to_definition({.groups = 3, .per_group = 1, .dim = 12, .value_dim = 4}, {}, "value size");
}

TEST(Attention, SinksTakeTheirShareOfTheSoftmax) {
  const at::Tensor sinks = random_tensor({6}, 9);
  expect_equal_to_definition({}, {}, "sinks", {}, sinks);
  expect_equal_to_definition({}, {.window_left = 2, .softcap = 2.0}, "sinks and window", {}, sinks);
}

TEST(Attention, QueriesSeeTheirOwnDocumentOnly) {
  const at::Tensor documents = at::tensor({0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 2, 1, 2, 1}, at::kInt).view({7, 2});
  expect_equal_to_definition({}, {}, "documents", documents);
}

TEST(Attention, DropoutActsOnProbabilitiesByGlobalIndex) {
  const Shape shape;
  AttentionDropout dropout{.p = 0.4};
  const at::Tensor sample = at::arange(shape.samples).unsqueeze(0);
  dropout.key = {RandomStream(1, "dropout/0/0/attention").key,
                 sample * shape.queries + at::arange(shape.queries).unsqueeze(1), 0, 6};
  at::Tensor factors = at::zeros({2, 2, 3, 7, 7}, at::kDouble);
  for (int b = 0; b < 2; ++b) {
    for (int head = 0; head < 6; ++head) {
      for (int i = 0; i < 7; ++i) {
        for (int j = 0; j < 7; ++j) {
          const std::uint64_t index = ((b * 7 + i) * 6 + head) * 7 + j;
          if (dropout_keeps(dropout.key.key, index, 0.4)) factors[b][head / 3][head % 3][i][j] = 1.0 / 0.6;
        }
      }
    }
  }
  AttentionInputs inputs = random_inputs(shape);
  expect_close(attention(inputs, {}, {}, dropout), attention_by_definition(inputs, {}, {}, factors), 1e-7);
  const AttentionInputs actual = with_gradients(inputs), expected = with_gradients(inputs);
  const at::Tensor dy = random_tensor({7, 2, 48}, 4);
  attention(actual, {}, {}, dropout).backward(dy);
  attention_by_definition(expected, {}, {}, factors).backward(dy);
  expect_close(actual.query.grad(), expected.query.grad(), 1e-6);
  expect_close(actual.key.grad(), expected.key.grad(), 1e-6);
  expect_close(actual.value.grad(), expected.value.grad(), 1e-6);
}

TEST(Attention, AQueryThatSeesNoKeyGivesZerosAndFiniteGradients) {
  AttentionInputs inputs = with_gradients(random_inputs({.queries = 4, .keys = 2}));
  const AttentionConfig config{.causal = false, .window_left = 0};  // queries 2 and 3 lie beyond all keys
  const at::Tensor y = attention(inputs, config);
  EXPECT_EQ(y.slice(0, 2).abs().max().item<double>(), 0.0);
  y.sum().backward();
  EXPECT_TRUE(inputs.query.grad().isfinite().all().item<bool>());
  EXPECT_TRUE(inputs.key.grad().isfinite().all().item<bool>());
}

TEST(Attention, PackedEqualsUnpacked) {
  const at::Tensor values = random_tensor({7, 2, 2, 5, 8}, 1);
  const at::Tensor packed = values.clone().requires_grad_(), apart = values.clone().requires_grad_();
  const at::Tensor y = attention_packed(packed, {});
  const AttentionInputs inputs{apart.slice(-2, 0, 3), apart.select(-2, 3), apart.select(-2, 4), {}, {}};
  const at::Tensor expected = attention(inputs, {});
  EXPECT_TRUE(at::equal(y, expected));
  const at::Tensor dy = random_tensor(y.sizes(), 2);
  y.backward(dy);
  expected.backward(dy);
  EXPECT_TRUE(at::equal(packed.grad(), apart.grad()));
}

TEST(Attention, PartsOfTheKeysMergeToTheWhole) {
  const AttentionInputs whole = random_inputs({.queries = 6, .keys = 6});
  const AttentionOutput expected = attention_forward(whole, {});
  const at::Tensor dy = random_tensor(expected.context.sizes(), 4);
  const AttentionGradients gradients = attention_backward(dy, whole, expected, {});

  std::vector<AttentionOutput> outputs;
  std::vector<AttentionInputs> inputs;
  const AttentionConfig configs[] = {{}, {.query_offset = -3}};  // the second part's keys start at 3
  for (const int part : {0, 1}) {
    inputs.push_back({whole.query,
                      whole.key.slice(0, 3 * part, 3 * part + 3),
                      whole.value.slice(0, 3 * part, 3 * part + 3),
                      {},
                      {}});
    outputs.push_back(attention_forward(inputs[part], configs[part]));
  }
  const at::Tensor total = at::logaddexp(outputs[0].log_sum_exp, outputs[1].log_sum_exp);
  at::Tensor context = at::zeros_like(expected.context);
  for (const AttentionOutput& output : outputs) {
    context += output.context * (output.log_sum_exp - total).exp().permute({3, 0, 1, 2}).unsqueeze(-1);
  }
  expect_close(total, expected.log_sum_exp, 1e-13);
  expect_close(context, expected.context, 1e-13);

  at::Tensor dq = at::zeros_like(whole.query);
  std::vector<at::Tensor> dk, dv;
  for (const int part : {0, 1}) {
    const AttentionGradients piece = attention_backward(dy, inputs[part], {context, total}, configs[part]);
    dq += piece.query;
    dk.push_back(piece.key);
    dv.push_back(piece.value);
  }
  expect_close(dq, gradients.query, 1e-12);
  expect_close(at::cat(dk), gradients.key, 1e-12);
  expect_close(at::cat(dv), gradients.value, 1e-12);
}

}  // namespace
}  // namespace primus::kernels
