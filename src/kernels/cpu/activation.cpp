#include "kernels/cpu/activation.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/cpu/isa/activation.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"
#include "kernels/linear.h"

namespace primus::kernels::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <class T>
ActivationCall<T> activation_call(const at::Tensor& x, const at::Tensor& bias, Activation kind) {
  ActivationCall<T> call;
  call.kind = kind;
  call.size = is_gated(kind) ? x.size(-1) / 2 : x.size(-1);
  call.x = x.const_data_ptr<T>();
  call.bias = bias.defined() ? bias.const_data_ptr<T>() : nullptr;
  return call;
}

at::Tensor fused_activation_forward(const at::Tensor& x, const at::Tensor& bias, Activation kind, Isa isa) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() /= is_gated(kind) ? 2 : 1;
  at::Tensor y = at::empty(shape, x.options());
  with_pass_types(x.scalar_type(), isa, [&]<class T, Isa level>() {
    ActivationCall<T> call = activation_call<T>(x, bias, kind);
    call.y = y.mutable_data_ptr<T>();
    at::parallel_for(
        0, y.numel() / call.size, row_grain(call.size),
        [&](std::int64_t first, std::int64_t last) { activation_forward<level>(call, first, last); });
  });
  return y;
}

/// Gradients of x and of the bias, the latter fp32. `value`, when it is defined, becomes the activation; it
/// may be `dy`.
std::pair<at::Tensor, at::Tensor> fused_activation_backward(const at::Tensor& dy, const at::Tensor& x,
                                                            const at::Tensor& bias, Activation kind, Isa isa,
                                                            const at::Tensor& value = {}) {
  at::Tensor dx = at::empty_like(x);
  at::Tensor bias_gradient;
  with_pass_types(x.scalar_type(), isa, [&]<class T, Isa level>() {
    ActivationCall<T> call = activation_call<T>(x, bias, kind);
    call.dy = dy.const_data_ptr<T>();
    call.dx = dx.mutable_data_ptr<T>();
    call.y = value.defined() ? value.mutable_data_ptr<T>() : nullptr;
    const std::int64_t rows = dy.numel() / call.size;
    if (bias.defined()) {
      bias_gradient =
          sum_over_rows(rows, x.size(-1), call.size, [&](std::int64_t first, std::int64_t last, float* sums) {
            activation_backward<level>(call, first, last, sums);
          });
      return;
    }
    at::parallel_for(0, rows, row_grain(call.size), [&](std::int64_t first, std::int64_t last) {
      activation_backward<level>(call, first, last, nullptr);
    });
  });
  return {dx, bias_gradient};
}

struct FusedActivation : torch::autograd::Function<FusedActivation> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const std::optional<at::Tensor>& bias,
                            const c10::intrusive_ptr<GradientSink>& sink, Activation kind, Isa isa) {
    const at::Tensor rows = x.contiguous();
    ctx->save_for_backward({rows, bias.value_or(at::Tensor())});
    ctx->saved_data["sink"] = pack_sink(sink);
    ctx->saved_data["kind"] = static_cast<std::int64_t>(kind);
    ctx->saved_data["isa"] = static_cast<std::int64_t>(isa);
    return fused_activation_forward(rows, bias.value_or(at::Tensor()), kind, isa);
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const auto kind = static_cast<Activation>(ctx->saved_data["kind"].toInt());
    const auto isa = static_cast<Isa>(ctx->saved_data["isa"].toInt());
    auto [dx, bias_gradient] =
        fused_activation_backward(upstream[0].contiguous(), saved[0], saved[1], kind, isa);
    if (bias_gradient.defined()) {
      const auto sink = unpack_sink(ctx->saved_data["sink"]);
      bias_gradient = deliver_gradient(sink, bias_gradient, saved[1].scalar_type());
    }
    return {dx, bias_gradient, {}, {}, {}};
  }
};

struct FusedActivationLinear : torch::autograd::Function<FusedActivationLinear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const std::optional<at::Tensor>& bias,
                            const at::Tensor& weight, const c10::intrusive_ptr<GradientSink>& bias_sink,
                            const c10::intrusive_ptr<GradientSink>& weight_sink, Activation kind,
                            const KernelOptions& options, Isa isa) {
    const at::Tensor rows = x.contiguous();
    ctx->save_for_backward({rows, bias.value_or(at::Tensor()), weight});
    ctx->saved_data["bias_sink"] = pack_sink(bias_sink);
    ctx->saved_data["weight_sink"] = pack_sink(weight_sink);
    ctx->saved_data["kind"] = static_cast<std::int64_t>(kind);
    ctx->saved_data["fused_linear"] = options.fused_linear;
    ctx->saved_data["isa"] = static_cast<std::int64_t>(isa);
    return linear(fused_activation_forward(rows, bias.value_or(at::Tensor()), kind, isa),
                  Weight{weight, nullptr}, {}, options);
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1], &weight = saved[2];
    const KernelOptions options{.fused_linear = ctx->saved_data["fused_linear"].toBool()};
    at::Tensor activation = linear_input_gradient(upstream[0], weight, options).contiguous();
    // From here on it is the activation: the pass reads each gradient before it writes there.
    auto [dx, bias_gradient] = fused_activation_backward(
        activation, x, bias, static_cast<Activation>(ctx->saved_data["kind"].toInt()),
        static_cast<Isa>(ctx->saved_data["isa"].toInt()), activation);
    const at::Tensor weight_gradient =
        linear_weight_gradient(upstream[0], activation, unpack_sink(ctx->saved_data["weight_sink"]), options);
    if (bias_gradient.defined()) {
      bias_gradient =
          deliver_gradient(unpack_sink(ctx->saved_data["bias_sink"]), bias_gradient, bias.scalar_type());
    }
    return {dx, bias_gradient, weight_gradient, {}, {}, {}, {}, {}};
  }
};

}  // namespace

bool covers_activation(const at::Tensor& x, const std::optional<Weight>& bias) {
  return x.is_cpu() && is_pass_dtype(x.scalar_type()) && x.numel() > 0 &&
         (!bias || bias->value.scalar_type() == x.scalar_type());
}

at::Tensor fused_activation(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                            Isa isa) {
  return FusedActivation::apply(x, value_of(bias), bias ? bias->sink : nullptr, kind, isa);
}

at::Tensor fused_activation_linear(const at::Tensor& x, const std::optional<Weight>& bias, Activation kind,
                                   const Weight& weight, const KernelOptions& options, Isa isa) {
  return FusedActivationLinear::apply(x, value_of(bias), weight.value, bias ? bias->sink : nullptr,
                                      weight.sink, kind, options, isa);
}

}  // namespace primus::kernels::cpu
