#include "kernels/rope.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <numbers>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/rope.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

double scaled_frequency(double frequency, const LlamaRopeScaling& scaling) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double turns = static_cast<double>(scaling.original_max_positions) / wavelength;
  if (turns > scaling.high_frequency_factor) return frequency;
  if (turns < scaling.low_frequency_factor) return frequency / scaling.factor;
  const double blend =
      (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1.0 - blend) * frequency / scaling.factor + blend * frequency;
}

/// The table's [s, b or 1, n] as [s, b or 1, 1..., n], for x of `dims` dimensions.
at::Tensor over_heads(const at::Tensor& angles, std::int64_t dims) {
  std::vector<std::int64_t> sizes = {angles.size(0), angles.size(1)};
  sizes.resize(static_cast<std::size_t>(dims - 1), 1);
  sizes.push_back(angles.size(2));
  return angles.view(sizes);
}

/// Turns every pair of the leading 2n elements by its angle (by minus its angle when `direction` is -1).
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool interleaved,
                  double direction) {
  const std::int64_t pairs = cos.size(-1);
  const at::ScalarType dtype = compute_dtype(x);
  const at::Tensor c = over_heads(cos, x.dim()).to(dtype);
  const at::Tensor s = over_heads(sin, x.dim()).to(dtype) * direction;
  const at::Tensor turned = x.slice(-1, 0, 2 * pairs).to(dtype);
  const at::Tensor first = interleaved ? turned.slice(-1, 0, 2 * pairs, 2) : turned.slice(-1, 0, pairs);
  const at::Tensor second =
      interleaved ? turned.slice(-1, 1, 2 * pairs, 2) : turned.slice(-1, pairs, 2 * pairs);
  const std::vector<at::Tensor> result = {first * c - second * s, second * c + first * s};
  const at::Tensor joined = interleaved ? at::stack(result, -1).flatten(-2) : at::cat(result, -1);
  return at::cat({joined.to(x.scalar_type()), x.slice(-1, 2 * pairs)}, -1);
}

/// Rotates queries and key of [s, b, g, r + 2, d]; the value passes.
at::Tensor rotate_packed(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin,
                         bool interleaved, double direction) {
  const std::int64_t value = qkv.size(-2) - 1;
  return at::cat({rotate(qkv.slice(-2, 0, value), cos, sin, interleaved, direction), qkv.slice(-2, value)},
                 -2);
}

struct Rope : torch::autograd::Function<Rope> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const RopeTable& table, bool packed,
                            bool fused) {
    ctx->save_for_backward({table.cos, table.sin});
    ctx->saved_data["interleaved"] = table.interleaved;
    ctx->saved_data["packed"] = packed;
    ctx->saved_data["fused"] = fused;
    return turn(x, table, packed, fused, 1);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const RopeTable table{saved[0], saved[1], ctx->saved_data["interleaved"].toBool()};
    return {
        turn(gradients[0], table, ctx->saved_data["packed"].toBool(), ctx->saved_data["fused"].toBool(), -1),
        {},
        {},
        {}};
  }

 private:
  static at::Tensor turn(const at::Tensor& x, const RopeTable& table, bool packed, bool fused,
                         int direction) {
    if (fused && cpu::covers_rotation(x)) return cpu::rotate(x, table, packed, direction);
    return (packed ? rotate_packed : rotate)(x, table.cos, table.sin, table.interleaved, direction);
  }
};

}  // namespace

at::Tensor rope_frequencies(const RopeConfig& config) {
  const std::int64_t pairs = config.dim / 2;
  at::Tensor frequencies = at::empty({pairs}, at::kDouble);
  double* out = frequencies.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < pairs; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.dim);
    out[i] = std::pow(config.base, exponent);
    if (config.llama_scaling) out[i] = scaled_frequency(out[i], *config.llama_scaling);
  }
  return frequencies;
}

RopeTable rope_table(const RopeConfig& config, const at::Tensor& positions) {
  const at::Tensor by_sample = positions.dim() == 1 ? positions.unsqueeze(1) : positions;
  const at::Tensor scaled = by_sample.to(at::kDouble) / config.interpolation_factor;
  const at::Tensor angles = scaled.unsqueeze(-1) * rope_frequencies(config).to(positions.device());
  return {angles.cos().to(at::kFloat), angles.sin().to(at::kFloat), config.interleaved};
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table, const KernelOptions& options) {
  const OperatorSpan span("Rope");
  return Rope::apply(x, table, false, options.fused_rope);
}

at::Tensor apply_rope_packed(const at::Tensor& qkv, const RopeTable& table, const KernelOptions& options) {
  const OperatorSpan span("Rope");
  return Rope::apply(qkv, table, true, options.fused_rope);
}

}  // namespace primus::kernels
