#include "kernels/linear.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/cpu/linear.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Leading dimensions as one: [..., n] -> [rows, n].
at::Tensor as_rows(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

at::Tensor compute_weight_gradient(const at::Tensor& dy, const at::Tensor& x,
                                   const c10::intrusive_ptr<GradientSink>& sink,
                                   const KernelOptions& options) {
  const bool fused = options.fused_linear && cpu::covers_product(dy, x, 2);
  if (fused && sink != nullptr && sink->main_grad.scalar_type() == at::kFloat) {
    cpu::add_weight_gradient(sink->main_grad, as_rows(dy), as_rows(x));
    sink->on_accumulated.notify();
    return {};
  }
  const at::Tensor dy_columns = as_rows(dy).t();
  if (sink != nullptr && sink->main_grad.scalar_type() == dy.scalar_type()) {
    sink->main_grad.addmm_(dy_columns, as_rows(x));
    sink->on_accumulated.notify();
    return {};
  }
  return deliver_gradient(sink, at::mm(dy_columns, as_rows(x)));
}

at::Tensor compute_linear(const at::Tensor& x, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias, const KernelOptions& options) {
  // On bf16 units oneDNN behind at::linear is as fast (98 % of the GEMM rate), and faster on short sums.
  const bool on_bf16_units = x.scalar_type() == at::kBFloat16 && cpu::multiplies_in_bf16(cpu::best_isa());
  if (options.fused_linear && !on_bf16_units && cpu::covers_product(x, weight, weight.size(1))) {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = weight.size(0);
    return cpu::packed_linear(as_rows(x), weight, bias).view(shape);
  }
  return at::linear(x, weight, bias);
}

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias,
                            const c10::intrusive_ptr<GradientSink>& weight_sink,
                            const c10::intrusive_ptr<GradientSink>& bias_sink, const KernelOptions& options) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["weight_sink"] = pack_sink(weight_sink);
    ctx->saved_data["bias_sink"] = pack_sink(bias_sink);
    ctx->saved_data["fused"] = options.fused_linear;
    ctx->saved_data["has_bias"] = bias.has_value();
    return compute_linear(x, weight, bias, options);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const at::Tensor& dy = gradients[0];
    const variable_list saved = ctx->get_saved_variables();
    const KernelOptions options{.fused_linear = ctx->saved_data["fused"].toBool()};
    variable_list result(6);
    if (ctx->needs_input_grad(0)) result[0] = linear_input_gradient(dy, saved[1], options);
    if (ctx->needs_input_grad(1)) {
      const auto sink = unpack_sink(ctx->saved_data["weight_sink"]);
      result[1] = linear_weight_gradient(dy, saved[0], sink, options);
    }
    if (ctx->saved_data["has_bias"].toBool() && ctx->needs_input_grad(2)) {
      result[2] = deliver_gradient(unpack_sink(ctx->saved_data["bias_sink"]), as_rows(dy).sum(0));
    }
    return result;
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const Weight& weight, const std::optional<Weight>& bias,
                  const KernelOptions& options) {
  const OperatorSpan span("Linear");
  const auto bias_sink = bias ? bias->sink : nullptr;
  return Linear::apply(x, weight.value, value_of(bias), weight.sink, bias_sink, options);
}

at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& weight,
                                 const KernelOptions& options) {
  if (options.fused_linear && cpu::covers_product(dy, weight, weight.size(0))) {
    std::vector<std::int64_t> shape = dy.sizes().vec();
    shape.back() = weight.size(1);
    return cpu::packed_input_gradient(as_rows(dy), weight).view(shape);
  }
  return at::matmul(dy, weight);
}

at::Tensor linear_weight_gradient(const at::Tensor& dy, const at::Tensor& x,
                                  const c10::intrusive_ptr<GradientSink>& sink,
                                  const KernelOptions& options) {
  if (sink != nullptr && sink->defer) {
    sink->defer([dy, x, sink, options] { compute_weight_gradient(dy, x, sink, options); });
    return {};
  }
  return compute_weight_gradient(dy, x, sink, options);
}

}  // namespace primus::kernels
