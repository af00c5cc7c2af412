#include "kernels/cpu/norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/cpu/isa/norm.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"

namespace primus::kernels::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct NormState : torch::CustomClassHolder {
  NormOptions options;
  c10::intrusive_ptr<GradientSink> weight_sink;
  c10::intrusive_ptr<GradientSink> bias_sink;
};

template <class T>
Norm<T> norm_call(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& statistics, const NormOptions& options) {
  Norm<T> call;
  call.size = x.size(-1);
  call.rows = x.numel() / call.size;
  call.centered = bias.defined();
  call.zero_centered = options.zero_centered;
  call.epsilon = static_cast<float>(options.epsilon);
  call.x = x.const_data_ptr<T>();
  call.weight = weight.const_data_ptr<T>();
  call.bias = bias.defined() ? bias.const_data_ptr<T>() : nullptr;
  call.inverse_deviation = statistics.mutable_data_ptr<float>();
  call.mean = call.inverse_deviation + call.rows;
  return call;
}

/// Statistics are fp32 [2, rows]: inverse deviations, then means.
at::Tensor fused_norm_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              const at::Tensor& statistics, const NormOptions& options) {
  at::Tensor y = at::empty_like(x);
  with_pass_types(x.scalar_type(), options.isa, [&]<class T, Isa isa>() {
    Norm<T> call = norm_call<T>(x, weight, bias, statistics, options);
    call.y = y.mutable_data_ptr<T>();
    at::parallel_for(0, call.rows, row_grain(call.size),
                     [&](std::int64_t first, std::int64_t last) { norm_forward<isa>(call, first, last); });
  });
  return y;
}

struct NormGradients {
  at::Tensor x;
  at::Tensor weight;
  at::Tensor bias;
};

NormGradients fused_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias, const at::Tensor& statistics,
                                  const NormOptions& options) {
  NormGradients gradients{at::empty_like(x), {}, {}};
  const at::Tensor sums = with_pass_types(x.scalar_type(), options.isa, [&]<class T, Isa isa>() {
    Norm<T> call = norm_call<T>(x, weight, bias, statistics, options);
    call.dy = dy.const_data_ptr<T>();
    call.dx = gradients.x.mutable_data_ptr<T>();
    return sum_over_rows(call.rows, 2 * call.size, call.size,
                         [&](std::int64_t first, std::int64_t last, float* part) {
                           norm_backward<isa>(call, first, last, part, part + call.size);
                         });
  });
  const std::int64_t size = x.size(-1);
  gradients.weight = sums.slice(0, 0, size);
  gradients.bias = sums.slice(0, size);
  return gradients;
}

struct FusedNorm : torch::autograd::Function<FusedNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias,
                            const c10::intrusive_ptr<NormState>& state) {
    const at::Tensor rows = x.contiguous();
    const at::Tensor statistics = at::empty({2, x.numel() / x.size(-1)}, at::kFloat);
    ctx->save_for_backward({rows, weight, bias.value_or(at::Tensor()), statistics});
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    return fused_norm_forward(rows, weight, bias.value_or(at::Tensor()), statistics, state->options);
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const auto state = c10::static_intrusive_pointer_cast<NormState>(ctx->saved_data["state"].toCapsule());
    const NormGradients gradients =
        fused_norm_backward(upstream[0].contiguous(), saved[0], saved[1], saved[2], saved[3], state->options);
    variable_list result = {gradients.x, {}, {}, {}};
    result[1] = deliver_gradient(state->weight_sink, gradients.weight, saved[1].scalar_type());
    if (saved[2].defined()) {
      result[2] = deliver_gradient(state->bias_sink, gradients.bias, saved[2].scalar_type());
    }
    return result;
  }
};

}  // namespace

bool covers_norm(const at::Tensor& x, const at::Tensor& weight) {
  return x.is_cpu() && is_pass_dtype(x.scalar_type()) && weight.scalar_type() == x.scalar_type() &&
         x.numel() > 0;
}

at::Tensor fused_norm(const at::Tensor& x, const Weight& weight, const std::optional<Weight>& bias,
                      const NormOptions& options) {
  auto state = c10::make_intrusive<NormState>();
  state->options = options;
  state->weight_sink = weight.sink;
  state->bias_sink = bias ? bias->sink : nullptr;
  return FusedNorm::apply(x, weight.value, value_of(bias), state);
}

}  // namespace primus::kernels::cpu
