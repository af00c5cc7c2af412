#include "kernels/dropout.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "kernels/compute_dtype.h"
#include "kernels/random.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// `p` as a fraction of 2^32, which a random word is compared with.
std::uint64_t threshold(double p) { return static_cast<std::uint64_t>(p * 0x1.0p32); }

struct Dropout : torch::autograd::Function<Dropout> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, double p, const DropoutKey& key) {
    ctx->save_for_backward({key.token_index});
    ctx->saved_data["p"] = p;
    ctx->saved_data["key"] = static_cast<std::int64_t>(key.key);
    ctx->saved_data["first_column"] = key.first_column;
    ctx->saved_data["columns"] = key.columns;
    return masked(x, p, key);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const DropoutKey key{static_cast<std::uint64_t>(ctx->saved_data["key"].toInt()),
                         ctx->get_saved_variables()[0], ctx->saved_data["first_column"].toInt(),
                         ctx->saved_data["columns"].toInt()};
    return {masked(gradients[0], ctx->saved_data["p"].toDouble(), key), {}, {}};
  }

  static at::Tensor masked(const at::Tensor& x, double p, const DropoutKey& key) {
    const at::Tensor first_index = key.token_index * key.columns + key.first_column;
    return x * dropout_factors(key.key, first_index, x.size(-1), p).to(x.scalar_type());
  }
};

}  // namespace

bool dropout_keeps(std::uint64_t key, std::uint64_t index, double p) {
  return philox(key, index / 4, 2)[index % 4] >= threshold(p);
}

at::Tensor dropout_factors(std::uint64_t key, const at::Tensor& first_index, std::int64_t count, double p) {
  std::vector<std::int64_t> sizes = first_index.sizes().vec();
  sizes.push_back(count);
  at::Tensor factors = at::empty(sizes, at::kFloat);
  const at::Tensor starts = first_index.contiguous();
  const std::int64_t* start = starts.const_data_ptr<std::int64_t>();
  float* out = factors.mutable_data_ptr<float>();
  const std::uint64_t below = threshold(p);
  const auto kept = static_cast<float>(1.0 / (1.0 - p));
  at::parallel_for(0, starts.numel(), std::max<std::int64_t>(1, 4096 / count), [&](auto begin, auto end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::array<std::uint32_t, 4> words{};
      for (std::int64_t c = 0; c < count; ++c) {
        const auto index = static_cast<std::uint64_t>(start[row] + c);
        if (c == 0 || index % 4 == 0) words = philox(key, index / 4, 2);
        out[row * count + c] = words[index % 4] >= below ? kept : 0.0F;
      }
    }
  });
  return factors;
}

at::Tensor dropout(const at::Tensor& x, double p, const DropoutKey& key, const KernelOptions&) {
  return p > 0.0 ? Dropout::apply(x, p, key) : x;
}

at::Tensor bias_dropout_add(const at::Tensor& x, const std::optional<Weight>& bias,
                            const at::Tensor& residual, double p, const DropoutKey& key,
                            const KernelOptions& options) {
  const OperatorSpan span("BiasDropoutAdd");
  const at::Tensor biased = bias ? x + tracked(*bias) : x;
  return residual + dropout(biased, p, key, options).to(residual.scalar_type());
}

}  // namespace primus::kernels
