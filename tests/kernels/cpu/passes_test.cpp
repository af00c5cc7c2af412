// The operators that walk over memory once: norms, activations, rotary embedding, cross entropy. Each is held
// against its reference in float64, and must be no further from it than the reference in its own dtype.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"
#include "kernels/cpu/activation.h"
#include "kernels/cpu/cross_entropy.h"
#include "kernels/cpu/norm.h"
#include "kernels/cpu/rope.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "tests/kernels/testing.h"

namespace primus::kernels::cpu {
namespace {

using torch::autograd::variable_list;
using Function = std::function<at::Tensor(const variable_list&)>;

/// The function's value and its gradients with respect to all inputs, which are rounded to `dtype` first.
variable_list differentiate(const Function& function, const variable_list& inputs, const at::Tensor& upstream,
                            at::ScalarType rounded, at::ScalarType dtype) {
  variable_list leaves;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.to(rounded).to(dtype).detach().requires_grad_());
  }
  const at::Tensor y = function(leaves);
  const at::Tensor dy =
      y.scalar_type() == rounded ? upstream.to(rounded) : upstream.to(rounded).to(y.scalar_type());
  variable_list results = torch::autograd::grad({y}, leaves, {dy});
  results.insert(results.begin(), y.detach());
  return results;
}

/// Values and gradients of an operator, from inputs of the dtype that is tested and the gradient of its
/// value.
using Results = std::function<variable_list(const variable_list& inputs, const at::Tensor& upstream)>;

/// Errors of several draws together, because those of one vary by more than they differ.
void expect_no_worse(const Results& fused, const Function& reference,
                     const std::function<variable_list()>& draw_inputs, at::ScalarType dtype,
                     const at::Tensor& given_upstream = {}) {
  constexpr int draws = 8;
  std::vector<double> our_error, plain_error, noise;
  for (int draw = 0; draw < draws; ++draw) {
    const variable_list inputs = draw_inputs();
    const at::Tensor upstream = given_upstream.defined() ? given_upstream : at::randn_like(reference(inputs));
    const variable_list truth = differentiate(reference, inputs, upstream, dtype, at::kDouble);
    const variable_list plain = differentiate(reference, inputs, upstream, dtype, dtype);
    const variable_list ours = fused(inputs, upstream);
    our_error.resize(truth.size());
    plain_error.resize(truth.size());
    noise.resize(truth.size());
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_EQ(ours[i].scalar_type(), plain[i].scalar_type());
      our_error[i] += root_mean_square_error(ours[i], truth[i]) / draws;
      plain_error[i] += root_mean_square_error(plain[i], truth[i]) / draws;
      noise[i] += 2e-7 * (1.0 + truth[i].abs().max().item<double>()) / draws;
    }
  }
  for (std::size_t i = 0; i < our_error.size(); ++i) {
    EXPECT_LE(our_error[i], 1.1 * plain_error[i] + noise[i])
        << "result " << i << ": " << our_error[i] / plain_error[i] << " times the composite's error";
  }
}

void expect_no_worse(const Function& fused, const Function& reference,
                     const std::function<variable_list()>& draw_inputs, at::ScalarType dtype,
                     const at::Tensor& given_upstream = {}) {
  const Results results = [&](const variable_list& inputs, const at::Tensor& upstream) {
    return differentiate(fused, inputs, upstream, dtype, dtype);
  };
  expect_no_worse(results, reference, draw_inputs, dtype, given_upstream);
}

class Passes : public testing::TestWithParam<std::tuple<at::ScalarType, Isa>> {
 protected:
  void SetUp() override { at::manual_seed(11); }
  at::ScalarType dtype() const { return std::get<0>(GetParam()); }
  Isa isa() const { return std::get<1>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(All, Passes,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::ValuesIn(supported_isas())));

at::Tensor normal(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

TEST_P(Passes, rms_norm_is_no_further_from_float64_than_the_composite) {
  for (const std::int64_t size : {1, 7, 64, 129, 768}) {
    for (const bool zero_centered : {false, true}) {
      const auto fused = [&](const variable_list& x) {
        return fused_norm(x[0], {x[1], nullptr}, {}, {1e-5, zero_centered, isa()});
      };
      const auto reference = [&](const variable_list& x) {
        return rms_norm(x[0], {x[1], nullptr}, 1e-5, zero_centered);
      };
      expect_no_worse(
          fused, reference, [&] { return variable_list{normal({13, 3, size}) * 5.0, normal({size})}; },
          dtype());
    }
  }
}

TEST_P(Passes, layer_norm_is_no_further_from_float64_than_the_composite) {
  for (const std::int64_t size : {2, 7, 64, 129, 768}) {
    const auto fused = [&](const variable_list& x) {
      return fused_norm(x[0], {x[1], nullptr}, Weight{x[2], nullptr}, {1e-5, false, isa()});
    };
    const auto reference = [&](const variable_list& x) {
      return layer_norm(x[0], {x[1], nullptr}, {x[2], nullptr}, 1e-5);
    };
    expect_no_worse(
        fused, reference,
        [&] { return variable_list{normal({41, size}) + 3.0, normal({size}), normal({size})}; }, dtype());
  }
}

TEST_P(Passes, activations_are_no_further_from_float64_than_the_composites) {
  for (const Activation kind :
       {Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::squared_relu, Activation::silu,
        Activation::swiglu, Activation::geglu, Activation::quick_geglu}) {
    for (const std::int64_t size : {1, 50, 96}) {
      SCOPED_TRACE(fmt::format("kind {} size {}", static_cast<int>(kind), size));
      const std::int64_t width = is_gated(kind) ? 2 * size : size;
      const auto plain = [&](const variable_list& x) { return activation(x[0], {}, kind); };
      const auto fused = [&](const variable_list& x) { return fused_activation(x[0], {}, kind, isa()); };
      expect_no_worse(fused, plain, [&] { return variable_list{normal({29, width}) * 4.0}; }, dtype());
      const auto plain_biased = [&](const variable_list& x) {
        return activation(x[0], Weight{x[1], nullptr}, kind);
      };
      const auto fused_biased = [&](const variable_list& x) {
        return fused_activation(x[0], Weight{x[1], nullptr}, kind, isa());
      };
      expect_no_worse(
          fused_biased, plain_biased, [&] { return variable_list{normal({29, width}), normal({width})}; },
          dtype());
    }
  }
}

TEST_P(Passes, an_activation_with_its_linear_is_no_further_from_float64_than_the_composite) {
  for (const Activation kind : {Activation::gelu_tanh, Activation::swiglu, Activation::squared_relu}) {
    const std::int64_t width = is_gated(kind) ? 2 * 70 : 70;
    SCOPED_TRACE(static_cast<int>(kind));
    const auto fused = [&](const variable_list& x) {
      return fused_activation_linear(x[0], Weight{x[1], nullptr}, kind, Weight{x[2], nullptr},
                                     KernelOptions::all_fused(), isa());
    };
    const auto reference = [&](const variable_list& x) {
      return activation_linear(x[0], Weight{x[1], nullptr}, kind, Weight{x[2], nullptr});
    };
    expect_no_worse(
        fused, reference,
        [&] { return variable_list{normal({13, 5, width}), normal({width}), normal({34, 70})}; }, dtype());
  }
}

TEST(ActivationLinear, equals_its_parts_and_adds_to_both_sinks) {
  const auto sink_of = [](at::IntArrayRef shape) {
    auto sink = c10::make_intrusive<GradientSink>();
    sink->main_grad = at::zeros(shape);
    return sink;
  };
  const at::Tensor x = at::randn({40, 128}).to(at::kBFloat16).requires_grad_(), dy = at::randn({40, 32});
  const Weight bias{at::randn({128}).to(at::kBFloat16).requires_grad_(), sink_of({128})};
  const Weight weight{at::randn({32, 64}).to(at::kBFloat16).requires_grad_(), sink_of({32, 64})};
  const KernelOptions kernels = KernelOptions::all_fused();
  const auto run = [&](bool as_one) {
    x.mutable_grad().reset();
    bias.sink->main_grad.zero_();
    weight.sink->main_grad.zero_();
    const at::Tensor y = as_one
                             ? activation_linear(x, bias, Activation::swiglu, weight, kernels)
                             : linear(activation(x, bias, Activation::swiglu, kernels), weight, {}, kernels);
    torch::autograd::backward({y}, {dy.to(at::kBFloat16)});
    return variable_list{y.detach(), x.grad(), bias.sink->main_grad.clone(), weight.sink->main_grad.clone()};
  };
  const variable_list one = run(true), parts = run(false);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], parts[i])) << i;
}

TEST_P(Passes, activations_hold_at_extremes) {
  for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
    const at::Tensor x = at::tensor({-1e4, -100.0, -20.0, -0.0, 20.0, 100.0, 1e4}).to(dtype());
    const at::Tensor y = fused_activation(x, {}, kind, isa());
    EXPECT_TRUE(at::allclose(y, at::relu(x), 1e-5, 1e-5)) << y;
  }
}

TEST_P(Passes, rotation_is_no_further_from_float64_than_the_composite_and_turns_back) {
  for (const bool interleaved : {false, true}) {
    for (const std::int64_t dim : {16, 10, 2}) {
      RopeConfig config;
      config.dim = dim;
      config.interleaved = interleaved;
      const RopeTable table = rope_table(config, at::arange(11) * 37);
      const at::Tensor x = normal({11, 2, 3, 4, 20}).to(dtype());
      const at::Tensor truth = apply_rope_packed(x.to(at::kDouble), table);
      const at::Tensor plain = apply_rope_packed(x, table);
      const at::Tensor ours = rotate(x, table, true, 1, isa());
      EXPECT_LE(root_mean_square_error(ours, truth), 1.01 * root_mean_square_error(plain, truth) + 1e-7);
      EXPECT_TRUE(at::equal(ours.select(3, 3), x.select(3, 3)));
      const double tolerance = dtype() == at::kFloat ? 1e-5 : 5e-2;
      EXPECT_TRUE(at::allclose(rotate(ours, table, true, -1, isa()), x, tolerance, tolerance));
    }
  }
}

TEST_P(Passes, rotation_reads_strided_heads_and_positions_by_sample) {
  RopeConfig config;
  config.dim = 8;
  const RopeTable table = rope_table(config, at::randint(100, {7, 2}));
  const at::Tensor x = normal({7, 2, 3, 16}).to(dtype()).slice(3, 4, 12);
  EXPECT_TRUE(at::allclose(rotate(x, table, false, 1, isa()), apply_rope(x, table), 1e-2, 1e-5));
}

TEST_P(Passes, cross_entropy_is_no_further_from_float64_than_the_composite) {
  for (const std::int64_t width : {1, 37, 512}) {
    for (const double spread : {1.0, 60.0}) {
      const at::Tensor labels = at::randint(width, {9, 3});
      const auto fused = [&](const variable_list& x) { return fused_cross_entropy(x[0], labels, {}, isa()); };
      const auto reference = [&](const variable_list& x) { return cross_entropy(x[0], labels); };
      expect_no_worse(
          fused, reference, [&] { return variable_list{normal({9, 3, width}) * spread}; }, dtype());
    }
  }
}

TEST_P(Passes, linear_cross_entropy_is_no_further_from_float64_than_the_composite) {
  const at::Tensor labels = at::randint(300, {97, 2});
  const at::Tensor upstream = at::randn({97, 2}).to(dtype()).to(at::kFloat);
  for (const double softcap : {0.0, 2.0}) {
    for (const std::int64_t chunk_bytes : {1, 1 << 30}) {
      SCOPED_TRACE(fmt::format("softcap {} chunks of {} bytes", softcap, chunk_bytes));
      const Results fused = [&](const variable_list& x, const at::Tensor& loss_gradient) {
        const OutputLayerLoss result =
            fused_linear_cross_entropy(x[0].to(dtype()), {x[1].to(dtype()), nullptr}, labels, loss_gradient,
                                       {}, softcap, KernelOptions::all_fused(), chunk_bytes, isa());
        return variable_list{result.losses, result.hidden_gradient, result.weight_gradient};
      };
      const auto reference = [&](const variable_list& x) {
        return linear_cross_entropy(x[0], {x[1], nullptr}, labels, {}, softcap);
      };
      expect_no_worse(
          fused, reference, [&] { return variable_list{normal({97, 2, 32}), normal({300, 32})}; }, dtype(),
          upstream);
    }
  }
}

/// An output layer of 300 columns over 97 x 2 tokens, in several chunks, and what its sink has heard.
struct OutputLayer {
  c10::intrusive_ptr<GradientSink> sink = c10::make_intrusive<GradientSink>();
  int reports = 0;
  Listeners::Subscription subscription;
  Weight weight{at::randn({300, 32}), sink};
  at::Tensor hidden = at::randn({97, 2, 32});
  at::Tensor labels = at::randint(300, {97, 2});
  at::Tensor loss_gradient = at::randn({97, 2});

  OutputLayer() {
    sink->main_grad = at::zeros({300, 32});
    subscription = sink->on_accumulated.add([this] { ++reports; });
  }
  OutputLayerLoss run(const at::Tensor& gradient) const {
    return fused_linear_cross_entropy(hidden, weight, labels, gradient, {}, 0.0, {}, 1);
  }
  /// By the composite.
  at::Tensor expected_weight_gradient() const {
    const Weight plain{weight.value.clone().requires_grad_(), nullptr};
    torch::autograd::backward({linear_cross_entropy(hidden, plain, labels)}, {loss_gradient});
    return plain.value.grad();
  }
};

TEST(LinearCrossEntropy, reports_its_weight_gradient_once) {
  OutputLayer layer;
  layer.run(layer.loss_gradient);
  EXPECT_EQ(layer.reports, 1);
  EXPECT_TRUE(at::allclose(layer.sink->main_grad, layer.expected_weight_gradient(), 1e-4, 1e-4));
}

TEST(LinearCrossEntropy, leaves_its_weight_gradient_for_later_when_asked) {
  OutputLayer layer;
  std::vector<std::function<void()>> later;
  layer.sink->defer = [&](std::function<void()> computation) { later.push_back(std::move(computation)); };
  layer.run(layer.loss_gradient);
  EXPECT_EQ(layer.reports, 0);
  EXPECT_TRUE(at::equal(layer.sink->main_grad, at::zeros({300, 32})));
  for (const auto& computation : later) computation();
  EXPECT_EQ(layer.reports, 1);
  EXPECT_TRUE(at::allclose(layer.sink->main_grad, layer.expected_weight_gradient(), 1e-4, 1e-4));
}

TEST(LinearCrossEntropy, takes_no_gradient_without_a_loss_gradient) {
  OutputLayer layer;
  const OutputLayerLoss result = layer.run({});
  EXPECT_EQ(layer.reports, 0);
  EXPECT_FALSE(result.hidden_gradient.defined());
  EXPECT_TRUE(at::equal(layer.sink->main_grad, at::zeros({300, 32})));
  EXPECT_TRUE(at::equal(result.losses, layer.run(layer.loss_gradient).losses));
}

TEST(CrossEntropy, sees_a_shard_of_the_vocabulary) {
  const at::Tensor logits = at::randn({8, 2, 60});
  const at::Tensor labels = at::randint(60, {8, 2});
  // The other half's statistics, as a collective would bring them.
  const auto half = [&](std::int64_t first) {
    VocabularyShard shard{
        first, [&, first](LogitStatistics& mine) {
          const at::Tensor other = logits.narrow(2, 30 - first, 30).reshape({16, 30});
          const at::Tensor maximum = at::maximum(mine.maximum, other.amax(-1));
          mine.sum_of_exponentials = mine.sum_of_exponentials * (mine.maximum - maximum).exp() +
                                     (other - maximum.unsqueeze(1)).exp().sum(-1);
          mine.maximum = maximum;
          const at::Tensor local = labels.flatten() - (30 - first);
          const at::Tensor here = local.ge(0).logical_and(local.lt(30));
          mine.label_logit =
              mine.label_logit + other.gather(1, local.clamp(0, 29).unsqueeze(1)).squeeze(1) * here;
        }};
    return fused_cross_entropy(logits.narrow(2, first, 30), labels, shard);
  };
  const at::Tensor whole = cross_entropy(logits, labels);
  EXPECT_TRUE(at::allclose(half(0), whole, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(half(30), whole, 1e-5, 1e-5));
}

}  // namespace
}  // namespace primus::kernels::cpu
