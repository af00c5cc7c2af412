#include "parallel/column_linear.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/linear.h"
#include "parallel/group_capsule.h"

namespace primus::parallel {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct Gathered {
  at::Tensor whole;
  Pending pending;
};

Gathered start_gather(const at::Tensor& part, const Group& group) {
  std::vector<std::int64_t> shape = part.sizes().vec();
  shape[0] *= group.size();
  const at::Tensor whole = at::empty(shape, part.options());
  return {whole, group.start_all_gather(whole, part.contiguous())};
}

struct ColumnLinear : torch::autograd::Function<ColumnLinear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const kernels::Weight& weight_of_sink,
                            const c10::intrusive_ptr<kernels::GradientSink>& bias_sink, const Group& group,
                            bool sequence_parallel, const kernels::KernelOptions& options) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["weight_sink"] = kernels::pack_sink(weight_of_sink.sink);
    ctx->saved_data["bias_sink"] = kernels::pack_sink(bias_sink);
    ctx->saved_data["group"] = pack_group(group);
    ctx->saved_data["sequence_parallel"] = sequence_parallel;
    ctx->saved_data["fused"] = options.fused_linear;
    ctx->saved_data["has_bias"] = bias.has_value();
    const at::Tensor whole = sequence_parallel ? group.all_gather(x) : x;
    // The operator without its autograd: the gradient is this function's own.
    const kernels::Weight value{.value = weight, .sink = {}};
    const auto bias_value = bias ? std::optional(kernels::Weight{.value = *bias, .sink = {}}) : std::nullopt;
    return kernels::linear(whole, value, bias_value, options);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const at::Tensor dy = gradients[0].contiguous();
    const variable_list saved = ctx->get_saved_variables();
    const Group group = unpack_group(ctx->saved_data["group"]);
    const bool sequence_parallel = ctx->saved_data["sequence_parallel"].toBool();
    const kernels::KernelOptions options{.fused_linear = ctx->saved_data["fused"].toBool()};
    variable_list result(8);

    Gathered x{.whole = saved[0], .pending = {}};
    if (sequence_parallel && ctx->needs_input_grad(1)) x = start_gather(saved[0], group);
    Pending reduction;
    at::Tensor partial;
    if (ctx->needs_input_grad(0)) {
      partial = kernels::linear_input_gradient(dy, saved[1], options).contiguous();
      result[0] = sequence_parallel ? at::empty_like(saved[0], at::MemoryFormat::Contiguous) : partial;
      reduction = sequence_parallel ? group.start_reduce_scatter(result[0], partial)
                                    : group.start_all_reduce(partial);
    }
    if (ctx->needs_input_grad(1)) {
      x.pending.wait();
      const auto sink = kernels::unpack_sink(ctx->saved_data["weight_sink"]);
      result[1] = kernels::linear_weight_gradient(dy, x.whole, sink, options);
    }
    if (ctx->saved_data["has_bias"].toBool() && ctx->needs_input_grad(2)) {
      result[2] = kernels::deliver_gradient(kernels::unpack_sink(ctx->saved_data["bias_sink"]),
                                            dy.reshape({-1, dy.size(-1)}).sum(0));
    }
    reduction.wait();
    return result;
  }
};

}  // namespace

at::Tensor column_linear(const at::Tensor& x, const kernels::Weight& weight,
                         const std::optional<kernels::Weight>& bias, const Group& group,
                         bool sequence_parallel, const kernels::KernelOptions& options) {
  if (group.size() == 1) return kernels::linear(x, weight, bias, options);
  return ColumnLinear::apply(x, weight.value, kernels::value_of(bias), weight, bias ? bias->sink : nullptr,
                             group, sequence_parallel, options);
}

}  // namespace primus::parallel
