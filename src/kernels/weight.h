#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <functional>
#include <optional>

#include "core/listeners.h"

namespace primus::kernels {

/// Where a weight's gradient goes: straight into a buffer, as Megatron's main_grad, instead of into `.grad`.
///
/// Every kernel with a weight adds its weight gradient to `main_grad` inside its backward and returns no
/// gradient for the weight to autograd. The capsule base lets an autograd function keep the sink for its
/// backward.
struct GradientSink : torch::CustomClassHolder {
  /// fp32 (or the reduction's dtype), the weight's shape: a view into the contiguous gradient buffer.
  at::Tensor main_grad;
  /// Notified after each accumulation, so that a reduction can start while backward goes on.
  Listeners on_accumulated;
  /// When set, a kernel may hand over the weight-gradient part of its backward to be run later (zero-bubble
  /// pipelines split backward in this way) instead of computing it at once.
  std::function<void(std::function<void()>)> defer;
};

/// A weight as kernels see it.
struct Weight {
  /// A leaf that requires grad, in the compute dtype.
  at::Tensor value;
  /// Null: the kernel returns the gradient to autograd in the ordinary way (unit tests, parity checks).
  c10::intrusive_ptr<GradientSink> sink;
};

/// Adds a weight's gradient to its sink and returns an undefined tensor, which tells autograd that there is
/// nothing left to do; without a sink returns the gradient. Every kernel's backward ends in this.
at::Tensor deliver_gradient(const c10::intrusive_ptr<GradientSink>& sink, const at::Tensor& gradient);

/// The same for a gradient that was summed in fp32: a sink gets it as it is, autograd in the weight's
/// `dtype`.
at::Tensor deliver_gradient(const c10::intrusive_ptr<GradientSink>& sink, const at::Tensor& gradient,
                            at::ScalarType dtype);

/// The value of a weight that may be absent, in the form that autograd functions take.
std::optional<at::Tensor> value_of(const std::optional<Weight>& weight);

/// The weight's value, in the autograd graph such that its gradient is delivered to its sink: lets a
/// composite of ordinary ATen operators use a weight.
at::Tensor tracked(const Weight& weight);

/// A sink as an autograd function's context stores it (`ctx->saved_data`); null is kept as null.
c10::IValue pack_sink(const c10::intrusive_ptr<GradientSink>& sink);
c10::intrusive_ptr<GradientSink> unpack_sink(const c10::IValue& packed);

}  // namespace primus::kernels
