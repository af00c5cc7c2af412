#include "kernels/rope.h"

#include <cmath>
#include <complex>
#include <numbers>

#include "tests/kernels/testing.h"

namespace primus::kernels {
namespace {

/// Rotation as multiplication of complex numbers, one at a time. x [s, b, heads, d].
at::Tensor rotated_by_definition(const at::Tensor& x, const RopeConfig& config, const at::Tensor& positions) {
  at::Tensor y = x.clone();
  const auto in = x.accessor<double, 4>();
  auto out = y.accessor<double, 4>();
  const auto position = positions.accessor<std::int64_t, 2>();
  const std::int64_t pairs = config.dim / 2;
  for (std::int64_t s = 0; s < x.size(0); ++s) {
    for (std::int64_t b = 0; b < x.size(1); ++b) {
      for (std::int64_t head = 0; head < x.size(2); ++head) {
        for (std::int64_t i = 0; i < pairs; ++i) {
          const std::int64_t first = config.interleaved ? 2 * i : i;
          const std::int64_t second = config.interleaved ? 2 * i + 1 : i + pairs;
          const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.dim);
          const double angle = static_cast<double>(position[s][b]) * std::pow(config.base, exponent);
          const std::complex<double> turned =
              std::complex(in[s][b][head][first], in[s][b][head][second]) * std::polar(1.0, angle);
          out[s][b][head][first] = turned.real();
          out[s][b][head][second] = turned.imag();
        }
      }
    }
  }
  return y;
}

TEST(Rope, TurnsPairsByTheirAngle) {
  const at::Tensor x = random_tensor({6, 2, 3, 8}, 1);
  const at::Tensor positions = at::arange(6).unsqueeze(1).expand({6, 2}).contiguous();
  for (const bool interleaved : {false, true}) {
    for (const std::int64_t dim : {8, 4}) {
      const RopeConfig config{.dim = dim, .interleaved = interleaved};
      expect_close(apply_rope(x, rope_table(config, at::arange(6))),
                   rotated_by_definition(x, config, positions), 1e-6);
    }
  }
}

TEST(Rope, PositionsMayDifferBetweenSamples) {
  const at::Tensor x = random_tensor({4, 2, 1, 8}, 1);
  const at::Tensor positions = at::tensor({0, 0, 1, 1, 2, 0, 3, 1}, at::kLong).view({4, 2});
  const RopeConfig config{.dim = 8, .base = 500.0};
  expect_close(apply_rope(x, rope_table(config, positions)), rotated_by_definition(x, config, positions),
               1e-6);
}

TEST(Rope, TheGradientTurnsBack) {
  const at::Tensor x = random_tensor({5, 2, 3, 8}, 1).requires_grad_();
  const at::Tensor dy = random_tensor({5, 2, 3, 8}, 2);
  const RopeTable table = rope_table({.dim = 8}, at::arange(5));
  const at::Tensor y = apply_rope(x, table);
  y.backward(dy);
  expect_close(apply_rope(x.grad(), table), dy, 1e-6);
}

TEST(Rope, PackedRotatesQueriesAndKeyAndLeavesTheValue) {
  const at::Tensor qkv = random_tensor({5, 2, 3, 4, 8}, 1).requires_grad_();
  const at::Tensor dy = random_tensor({5, 2, 3, 4, 8}, 2);
  const RopeTable table = rope_table({.dim = 8}, at::arange(5));
  const at::Tensor packed = apply_rope_packed(qkv, table);
  packed.backward(dy);
  const at::Tensor rotated = apply_rope(qkv.detach(), table);
  EXPECT_TRUE(at::equal(packed.slice(-2, 0, 3), rotated.slice(-2, 0, 3)));
  EXPECT_TRUE(at::equal(packed.select(-2, 3), qkv.detach().select(-2, 3)));
  EXPECT_TRUE(at::equal(qkv.grad().select(-2, 3), dy.select(-2, 3)));
  expect_close(apply_rope(qkv.grad(), table).slice(-2, 0, 3), dy.slice(-2, 0, 3), 1e-6);
}

TEST(Rope, LlamaScalingSlowsLongWavesAndKeepsShortOnes) {
  const RopeConfig plain{.dim = 128, .base = 500000.0};
  RopeConfig scaled = plain;
  scaled.llama_scaling = LlamaRopeScaling{};
  const at::Tensor before = rope_frequencies(plain), after = rope_frequencies(scaled);
  for (int i = 0; i < 64; ++i) {
    const double f = before[i].item<double>(), wavelength = 2.0 * std::numbers::pi / f;
    double expected = f;
    if (wavelength > 8192.0) {
      expected = f / 8.0;
    } else if (wavelength >= 2048.0) {
      const double smooth = (8192.0 / wavelength - 1.0) / 3.0;
      expected = (1.0 - smooth) * f / 8.0 + smooth * f;
    }
    EXPECT_DOUBLE_EQ(after[i].item<double>(), expected) << i;
  }
}

TEST(Rope, InterpolationDividesPositions) {
  const RopeConfig stretched{.dim = 8, .interpolation_factor = 2.0};
  expect_close(rope_table(stretched, at::arange(6) * 2).cos, rope_table({.dim = 8}, at::arange(6)).cos, 1e-7);
}

}  // namespace
}  // namespace primus::kernels
