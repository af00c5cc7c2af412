#include "kernels/cpu/attention.h"
#include "tests/kernels/testing.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

namespace primus::kernels::cpu {
namespace {

struct Case {
  std::string name;
  std::int64_t queries = 64;
  std::int64_t keys = 64;
  std::int64_t batch = 1;
  std::int64_t groups = 1;
  std::int64_t heads_per_group = 1;
  std::int64_t size = 64;
  std::int64_t value_size = 64;
  AttentionConfig config = {};
  bool sinks = false;
  /// Lengths of the documents of every sample; empty: one document.
  std::vector<std::int64_t> documents = {};
  /// The standard deviation of queries: large ones make extreme scores.
  double spread = 1.0;
  /// How much larger than the composite's the error may be. The backward makes the probabilities anew from
  /// their logarithm, which at scores of several hundred is one rounding more than the composite has; and
  /// takes Σ p·dp as context · gradient with the context rounded, which shows where a query sees one or two
  /// keys.
  double slack = 1.1;
};

void PrintTo(const Case& test, std::ostream* stream) { *stream << test.name; }

AttentionConfig masked(bool causal, std::int64_t left = -1, std::int64_t right = -1, double softcap = 0.0,
                       std::int64_t offset = 0) {
  AttentionConfig config;
  config.causal = causal;
  config.window_left = left;
  config.window_right = right;
  config.softcap = softcap;
  config.query_offset = offset;
  return config;
}

struct Problem {
  AttentionInputs inputs;
  at::Tensor sinks;
  at::Tensor context_gradient;
};

at::Tensor document_ids(const std::vector<std::int64_t>& lengths, std::int64_t batch) {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    parts.push_back(at::full({lengths[i], batch}, static_cast<std::int64_t>(i), at::kInt));
  }
  return at::cat(parts);
}

Problem random_problem(const Case& test, at::ScalarType dtype) {
  at::manual_seed(7);
  const auto make = [&](at::IntArrayRef shape) { return at::randn(shape, at::kDouble).to(dtype); };
  Problem problem;
  problem.inputs.query =
      (at::randn({test.queries, test.batch, test.groups, test.heads_per_group, test.size}, at::kDouble) *
       test.spread)
          .to(dtype);
  problem.inputs.key = make({test.keys, test.batch, test.groups, test.size});
  problem.inputs.value = make({test.keys, test.batch, test.groups, test.value_size});
  problem.context_gradient =
      make({test.queries, test.batch, test.groups, test.heads_per_group, test.value_size});
  if (test.sinks) {
    problem.sinks = at::randn({test.groups * test.heads_per_group}, at::kFloat);
  }
  if (!test.documents.empty()) {
    problem.inputs.query_documents = document_ids(test.documents, test.batch);
    problem.inputs.key_documents = problem.inputs.query_documents;
  }
  return problem;
}

/// True where query i of sample b sees key j; [b, 1, 1, s, t].
at::Tensor visible(const Case& test, const AttentionInputs& inputs) {
  const at::Tensor i = at::arange(test.queries).unsqueeze(1) + test.config.query_offset;
  const at::Tensor j = at::arange(test.keys).unsqueeze(0);
  at::Tensor mask = at::ones({test.queries, test.keys}, at::kBool);
  if (test.config.causal) {
    mask = mask & (j <= i);
  } else if (test.config.window_right >= 0) {
    mask = mask & (j <= i + test.config.window_right);
  }
  if (test.config.window_left >= 0) {
    mask = mask & (j >= i - test.config.window_left);
  }
  mask = mask.expand({test.batch, 1, 1, test.queries, test.keys});
  if (inputs.query_documents.defined()) {
    const at::Tensor same = inputs.query_documents.t().unsqueeze(2) == inputs.key_documents.t().unsqueeze(1);
    mask = mask & same.unsqueeze(1).unsqueeze(1);
  }
  return mask;
}

struct Results {
  at::Tensor context;
  at::Tensor log_sum_exp;
  at::Tensor query_gradient;
  at::Tensor key_gradient;
  at::Tensor value_gradient;
};

/// Attention by its definition, differentiated by autograd: in fp64 the truth, in bf16 and fp32 (softmax in
/// fp32, as Megatron's unfused attention) what the fused one must not be worse than.
Results composite(const Case& test, const Problem& problem, at::ScalarType dtype) {
  const auto leaf = [&](const at::Tensor& x) { return x.to(dtype, false, true).requires_grad_(); };
  const at::Tensor q = leaf(problem.inputs.query);
  const at::Tensor k = leaf(problem.inputs.key);
  const at::Tensor v = leaf(problem.inputs.value);
  const double scale = test.config.scale == 0.0 ? 1.0 / std::sqrt(test.size) : test.config.scale;
  at::Tensor scores = at::matmul(q.permute({1, 2, 3, 0, 4}), k.permute({1, 2, 3, 0}).unsqueeze(2)) * scale;
  scores = scores.to(dtype == at::kDouble ? at::kDouble : at::kFloat);
  if (test.config.softcap > 0.0) {
    scores = at::tanh(scores / test.config.softcap) * test.config.softcap;
  }
  const at::Tensor mask = visible(test, problem.inputs);
  scores = scores.masked_fill(~mask, -std::numeric_limits<double>::infinity());
  const at::Tensor log_sum_exp = at::logsumexp(scores, -1);
  at::Tensor denominator = log_sum_exp;
  if (problem.sinks.defined()) {
    const at::Tensor sinks = problem.sinks.to(scores.dtype()).view({1, test.groups, test.heads_per_group, 1});
    denominator = at::logaddexp(log_sum_exp, sinks);
  }
  const at::Tensor any = mask.any(-1, true);
  const at::Tensor p =
      at::where(any, at::exp(scores - at::where(any, denominator.unsqueeze(-1), 0.0)), 0.0).to(dtype);
  const at::Tensor context = at::matmul(p, v.permute({1, 2, 0, 3}).unsqueeze(2)).permute({3, 0, 1, 2, 4});
  const auto gradients = torch::autograd::grad({context}, {q, k, v}, {problem.context_gradient.to(dtype)});
  return {context.detach(), log_sum_exp.detach(), gradients[0], gradients[1], gradients[2]};
}

Results fused(const Case& test, const Problem& problem, Isa isa) {
  const AttentionOutput output = flash_attention_forward(problem.inputs, test.config, problem.sinks, isa);
  AttentionGradients gradients{at::empty_like(problem.inputs.query), at::empty_like(problem.inputs.key),
                               at::empty_like(problem.inputs.value)};
  AttentionOutput saved = output;
  if (problem.sinks.defined()) {
    saved.log_sum_exp = at::logaddexp(
        output.log_sum_exp, problem.sinks.view({1, test.groups, test.heads_per_group, 1}).to(at::kFloat));
  }
  flash_attention_backward(problem.context_gradient, problem.inputs, saved, test.config, gradients, isa);
  return {output.context, output.log_sum_exp, gradients.query, gradients.key, gradients.value};
}

/// The error of x is at most that of the composite, up to the noise of two roundings of the same number.
void expect_no_worse(const char* what, const at::Tensor& x, const at::Tensor& by_composite,
                     const at::Tensor& truth, double slack) {
  const double noise = 4e-7 * (1.0 + truth.abs().max().item<double>());
  EXPECT_LE(root_mean_square_error(x, truth), slack * root_mean_square_error(by_composite, truth) + noise)
      << what;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {.name = "one_token", .queries = 1, .keys = 1, .size = 64},
      {.name = "prime_lengths_causal", .queries = 131, .keys = 131, .batch = 2, .groups = 3},
      {.name = "long_causal", .queries = 512, .keys = 512, .groups = 2},
      {.name = "grouped_queries", .queries = 97, .keys = 97, .batch = 2, .groups = 2, .heads_per_group = 3},
      {.name = "full", .queries = 70, .keys = 203, .groups = 2, .config = masked(false)},
      {.name = "small_head", .queries = 77, .keys = 77, .size = 8, .value_size = 8},
      {.name = "head_of_128", .queries = 150, .keys = 150, .size = 128, .value_size = 128},
      {.name = "odd_head", .queries = 33, .keys = 33, .size = 23, .value_size = 41},
      {.name = "unequal_heads", .queries = 150, .keys = 150, .size = 192, .value_size = 128},
      {.name = "sliding_window", .queries = 300, .keys = 300, .config = masked(true, 37)},
      {.name = "window_both_sides", .queries = 300, .keys = 300, .config = masked(false, 20, 9)},
      {.name = "window_of_none", .queries = 40, .keys = 8, .config = masked(false, 3, 0), .slack = 1.25},
      {.name = "softcap", .queries = 140, .keys = 140, .config = masked(true, -1, -1, 3.0), .spread = 4.0},
      {.name = "query_offset", .queries = 50, .keys = 180, .config = masked(true, -1, -1, 0.0, 130)},
      {.name = "sinks", .queries = 140, .keys = 140, .groups = 2, .heads_per_group = 2, .sinks = true},
      {.name = "documents", .queries = 260, .keys = 260, .batch = 2, .documents = {1, 63, 97, 2, 97}},
      {.name = "extreme_scores", .queries = 190, .keys = 190, .groups = 2, .spread = 100.0, .slack = 2.0},
  };
  return all;
}

class FusedAttention : public testing::TestWithParam<std::tuple<Case, at::ScalarType, Isa>> {};

TEST_P(FusedAttention, is_no_further_from_float64_than_the_composite) {
  const auto& [test, dtype, isa] = GetParam();
  const Problem problem = random_problem(test, dtype);
  ASSERT_TRUE(covers_attention(problem.inputs, test.config, {}));
  const Results truth = composite(test, problem, at::kDouble);
  const Results plain = composite(test, problem, dtype);
  const Results ours = fused(test, problem, isa);
  expect_no_worse("context", ours.context, plain.context, truth.context, test.slack);
  expect_no_worse("query gradient", ours.query_gradient, plain.query_gradient, truth.query_gradient,
                  test.slack);
  expect_no_worse("key gradient", ours.key_gradient, plain.key_gradient, truth.key_gradient, test.slack);
  expect_no_worse("value gradient", ours.value_gradient, plain.value_gradient, truth.value_gradient,
                  test.slack);
  EXPECT_TRUE(at::allclose(ours.log_sum_exp.to(at::kDouble), truth.log_sum_exp, 1e-5, 1e-5));
}

std::string case_name(const testing::TestParamInfo<FusedAttention::ParamType>& info) {
  const auto& [test, dtype, isa] = info.param;
  const char* isa_names[] = {"baseline", "avx2", "avx512_fp32", "avx512_bf16"};
  return test.name + (dtype == at::kFloat ? "_fp32_" : "_bf16_") + isa_names[static_cast<int>(isa)];
}

INSTANTIATE_TEST_SUITE_P(All, FusedAttention,
                         testing::Combine(testing::ValuesIn(cases()),
                                          testing::Values(at::kFloat, at::kBFloat16),
                                          testing::ValuesIn(supported_isas())),
                         case_name);

TEST(FusedAttention, gives_the_same_bits_every_time) {
  const Case test{.name = "", .queries = 200, .keys = 200, .batch = 2, .groups = 2, .heads_per_group = 2};
  const Problem problem = random_problem(test, at::kBFloat16);
  const Results first = fused(test, problem, best_isa());
  for (int i = 0; i < 5; ++i) {
    const Results again = fused(test, problem, best_isa());
    EXPECT_TRUE(at::equal(first.context, again.context));
    EXPECT_TRUE(at::equal(first.query_gradient, again.query_gradient));
    EXPECT_TRUE(at::equal(first.key_gradient, again.key_gradient));
    EXPECT_TRUE(at::equal(first.value_gradient, again.value_gradient));
  }
}

TEST(FusedAttention, reads_and_writes_parts_of_a_packed_projection) {
  const Case test{.name = "", .queries = 90, .keys = 90, .batch = 2, .groups = 2, .heads_per_group = 2};
  const Problem problem = random_problem(test, at::kBFloat16);
  const at::Tensor packed =
      at::cat({problem.inputs.query, problem.inputs.key.unsqueeze(3), problem.inputs.value.unsqueeze(3)}, 3);
  Problem strided = problem;
  strided.inputs.query = packed.narrow(3, 0, 2);
  strided.inputs.key = packed.select(3, 2);
  strided.inputs.value = packed.select(3, 3);
  const Results expected = fused(test, problem, best_isa());
  const at::Tensor gradient = at::zeros_like(packed);
  AttentionGradients parts{gradient.narrow(3, 0, 2), gradient.select(3, 2), gradient.select(3, 3)};
  const AttentionOutput output = flash_attention_forward(strided.inputs, test.config);
  flash_attention_backward(problem.context_gradient, strided.inputs, output, test.config, parts);
  EXPECT_TRUE(at::equal(output.context, expected.context));
  EXPECT_TRUE(at::equal(parts.query, expected.query_gradient));
  EXPECT_TRUE(at::equal(parts.key, expected.key_gradient));
  EXPECT_TRUE(at::equal(parts.value, expected.value_gradient));
}

/// The operator with its autograd, packed projection and sinks, fused against the reference.
TEST(FusedAttention, is_the_operator_that_the_option_selects) {
  at::manual_seed(3);
  const at::Tensor qkv = at::randn({75, 2, 2, 4, 16}, at::kFloat).requires_grad_();
  const Weight sinks{at::randn({4}, at::kFloat).requires_grad_(), nullptr};
  const at::Tensor dy = at::randn({75, 2, 64}, at::kFloat);
  const auto run = [&](const KernelOptions& options) {
    const at::Tensor y = attention_packed(qkv, masked(true, 20), {}, sinks, {}, options);
    auto results = torch::autograd::grad({y}, {qkv, sinks.value}, {dy});
    results.push_back(y);
    return results;
  };
  const auto reference = run({});
  const auto fused = run(KernelOptions::all_fused());
  for (std::size_t i = 0; i < reference.size(); ++i) {
    EXPECT_TRUE(at::allclose(fused[i], reference[i], 1e-4, 1e-5)) << i;
  }
}

TEST(FusedAttention, leaves_what_it_cannot_do_to_the_reference) {
  const Case test{.name = "", .queries = 4, .keys = 4};
  Problem problem = random_problem(test, at::kFloat);
  EXPECT_TRUE(covers_attention(problem.inputs, test.config, {}));
  EXPECT_FALSE(covers_attention(problem.inputs, test.config, AttentionDropout{.p = 0.1}));
  problem.inputs.key_documents = at::tensor({1, 0, 1, 0}, at::kInt).unsqueeze(1);
  problem.inputs.query_documents = problem.inputs.key_documents;
  EXPECT_FALSE(covers_attention(problem.inputs, test.config, {}));
}

}  // namespace
}  // namespace primus::kernels::cpu
