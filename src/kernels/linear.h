#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

/// y = x·Wᵀ (+ bias). x [..., in], weight [out, in], bias [out]; returns [..., out] in x's dtype.
at::Tensor linear(const at::Tensor& x, const Weight& weight, const std::optional<Weight>& bias = {},
                  const KernelOptions& options = {});

/// The parts of linear's backward, for autograd functions that put communication between them.

/// dy·W: dy [..., out], weight [out, in]; returns [..., in]. No autograd.
at::Tensor linear_input_gradient(const at::Tensor& dy, const at::Tensor& weight,
                                 const KernelOptions& options = {});

/// dyᵀ·x, summed over all leading dimensions: into the weight's sink (at once, or later when the sink
/// defers), or returned when it has none; undefined otherwise. dy [..., out], x [..., in]. No autograd.
at::Tensor linear_weight_gradient(const at::Tensor& dy, const at::Tensor& x,
                                  const c10::intrusive_ptr<GradientSink>& sink,
                                  const KernelOptions& options = {});

}  // namespace primus::kernels
