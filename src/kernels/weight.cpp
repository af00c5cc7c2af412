#include "kernels/weight.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor deliver_gradient(const c10::intrusive_ptr<GradientSink>& sink, const at::Tensor& gradient) {
  if (sink == nullptr) return gradient;
  sink->main_grad.add_(gradient);
  sink->on_accumulated.notify();
  return {};
}

at::Tensor deliver_gradient(const c10::intrusive_ptr<GradientSink>& sink, const at::Tensor& gradient,
                            at::ScalarType dtype) {
  return sink == nullptr ? gradient.to(dtype) : deliver_gradient(sink, gradient);
}

std::optional<at::Tensor> value_of(const std::optional<Weight>& weight) {
  return weight ? std::optional(weight->value) : std::nullopt;
}

c10::IValue pack_sink(const c10::intrusive_ptr<GradientSink>& sink) {
  return sink == nullptr ? c10::IValue() : c10::IValue::make_capsule(sink);
}

c10::intrusive_ptr<GradientSink> unpack_sink(const c10::IValue& packed) {
  if (packed.isNone()) return {};
  return c10::static_intrusive_pointer_cast<GradientSink>(packed.toCapsule());
}

namespace {

struct TrackedWeight : torch::autograd::Function<TrackedWeight> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& value,
                            const c10::intrusive_ptr<GradientSink>& sink) {
    ctx->saved_data["sink"] = pack_sink(sink);
    return value.view_as(value);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    return {deliver_gradient(unpack_sink(ctx->saved_data["sink"]), gradients[0]), {}};
  }
};

}  // namespace

at::Tensor tracked(const Weight& weight) {
  if (weight.sink == nullptr || !at::GradMode::is_enabled()) return weight.value;
  return TrackedWeight::apply(weight.value, weight.sink);
}

}  // namespace primus::kernels
