#include "kernels/cpu/linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "kernels/linear.h"
#include "tests/kernels/testing.h"

namespace primus::kernels::cpu {
namespace {

struct Shape {
  std::int64_t tokens;
  std::int64_t in;
  std::int64_t out;
};

class PackedProducts : public testing::TestWithParam<std::tuple<Shape, at::ScalarType, Isa>> {};

TEST_P(PackedProducts, are_no_further_from_float64_than_atens) {
  const auto& [shape, dtype, isa] = GetParam();
  at::manual_seed(1);
  const at::Tensor x = at::randn({shape.tokens, shape.in}).to(dtype);
  const at::Tensor w = at::randn({shape.out, shape.in}).to(dtype);
  const at::Tensor bias = at::randn({shape.out}).to(dtype);
  const at::Tensor dy = at::randn({shape.tokens, shape.out}).to(dtype);
  // In fp32 what counts is the order of the additions, and at::mm's is another on every processor.
  const double slack = dtype == at::kFloat ? 2.0 : 1.1;
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };

  const at::Tensor y = wide(x).mm(wide(w).t()) + wide(bias);
  EXPECT_LE(root_mean_square_error(packed_linear(x, w, bias, isa), y),
            slack * root_mean_square_error(at::linear(x, w, bias), y) + 1e-7);

  const at::Tensor dx = wide(dy).mm(wide(w));
  EXPECT_LE(root_mean_square_error(packed_input_gradient(dy, w, isa), dx),
            slack * root_mean_square_error(at::mm(dy, w), dx) + 1e-7);

  const at::Tensor start = at::randn({shape.out, shape.in});
  const at::Tensor dw = wide(start) + wide(dy).t().mm(wide(x));
  at::Tensor main_grad = start.clone();
  add_weight_gradient(main_grad, dy, x, isa);
  const at::Tensor plain = start + at::mm(dy.t(), x).to(at::kFloat);
  EXPECT_LE(root_mean_square_error(main_grad, dw), slack * root_mean_square_error(plain, dw) + 1e-7);
}

std::string name(const testing::TestParamInfo<PackedProducts::ParamType>& info) {
  const auto& [shape, dtype, isa] = info.param;
  const char* isa_names[] = {"baseline", "avx2", "avx512_fp32", "avx512_bf16"};
  return fmt::format("{}_{}_{}_{}_{}", shape.tokens, shape.in, shape.out,
                     dtype == at::kFloat ? "fp32" : "bf16", isa_names[static_cast<int>(isa)]);
}

INSTANTIATE_TEST_SUITE_P(All, PackedProducts,
                         testing::Combine(testing::Values(Shape{32, 64, 64}, Shape{131, 66, 190},
                                                          Shape{33, 2, 2}, Shape{300, 1030, 80},
                                                          Shape{64, 70, 1100}, Shape{2115, 10, 6}),
                                          testing::Values(at::kFloat, at::kBFloat16),
                                          testing::ValuesIn(supported_isas())),
                         name);

TEST(PackedProducts, write_parts_of_a_gradient_buffer) {
  at::Tensor buffer = at::zeros({100, 50});
  const at::Tensor dy = at::randn({40, 100});
  const at::Tensor x = at::randn({40, 20});
  add_weight_gradient(buffer.slice(1, 7, 27), dy, x);
  EXPECT_TRUE(at::allclose(buffer.slice(1, 7, 27), at::mm(dy.t(), x), 1e-4, 1e-4));
  EXPECT_EQ(buffer.slice(1, 0, 7).abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(buffer.slice(1, 27).abs().sum().item<float>(), 0.0F);
}

/// The operator: gradient into the fp32 sink, bf16 operands.
TEST(FusedLinear, adds_its_weight_gradient_to_main_grad_in_fp32) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({40, 2, 64}).to(at::kBFloat16).requires_grad_();
  auto sink = c10::make_intrusive<GradientSink>();
  sink->main_grad = at::ones({96, 64});
  const Weight weight{at::randn({96, 64}).to(at::kBFloat16).requires_grad_(), sink};
  const at::Tensor dy = at::randn({40, 2, 96}).to(at::kBFloat16);
  const at::Tensor y = linear(x, weight, {}, KernelOptions::all_fused());
  torch::autograd::backward({y}, {dy});
  const at::Tensor expected = 1.0 + dy.flatten(0, 1).to(at::kDouble).t().mm(x.flatten(0, 1).to(at::kDouble));
  EXPECT_TRUE(at::allclose(sink->main_grad.to(at::kDouble), expected, 1e-5, 1e-4));
  EXPECT_TRUE(at::allclose(x.grad(), at::matmul(dy, weight.value), 2e-2, 2e-1));
}

}  // namespace
}  // namespace primus::kernels::cpu
