#include "kernels/cross_entropy.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/cross_entropy.h"
#include "kernels/linear.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// The labels as columns of the logits here, [n, 1], and which of them lie elsewhere.
struct LocalLabels {
  at::Tensor column;
  at::Tensor elsewhere;

  LocalLabels(const at::Tensor& labels, std::int64_t first, std::int64_t width) {
    const at::Tensor local = labels.reshape({-1, 1}) - first;
    elsewhere = local.lt(0).logical_or(local.ge(width));
    column = local.masked_fill(elsewhere, 0);
  }
};

LogitStatistics statistics_of(const at::Tensor& logits, const LocalLabels& labels) {
  const at::Tensor maximum = logits.amax(-1, /*keepdim=*/true);
  return {maximum.squeeze(-1), (logits - maximum).exp().sum(-1),
          logits.gather(-1, labels.column).masked_fill(labels.elsewhere, 0).squeeze(-1)};
}

struct CrossEntropy : torch::autograd::Function<CrossEntropy> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& logits, const at::Tensor& labels,
                            const VocabularyShard& shard) {
    const std::int64_t width = logits.size(-1);
    LogitStatistics statistics = statistics_of(logits.reshape({-1, width}).to(compute_dtype(logits)),
                                               LocalLabels(labels, shard.first, width));
    if (shard.combine) shard.combine(statistics);
    ctx->save_for_backward({logits, labels, statistics.maximum, statistics.sum_of_exponentials});
    ctx->saved_data["first"] = shard.first;
    // The difference first: both may be large.
    const at::Tensor loss =
        statistics.maximum - statistics.label_logit + statistics.sum_of_exponentials.log();
    return loss.view(labels.sizes());
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& logits = saved[0];
    const std::int64_t width = logits.size(-1);
    const at::Tensor wide = logits.reshape({-1, width}).to(compute_dtype(logits));
    at::Tensor gradient = (wide - saved[2].unsqueeze(-1)).exp_().div_(saved[3].unsqueeze(-1));
    const LocalLabels labels(saved[1], ctx->saved_data["first"].toInt(), width);
    gradient.scatter_add_(-1, labels.column,
                          labels.elsewhere.to(gradient.scalar_type()) - 1.0);  // -1 at the label, if here
    gradient.mul_(gradients[0].reshape({-1, 1}));
    return {gradient.to(logits.scalar_type()).view(logits.sizes()), {}, {}};
  }
};

}  // namespace

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels, const VocabularyShard& shard,
                         const KernelOptions& options) {
  const OperatorSpan span("CrossEntropy");
  if (options.fused_cross_entropy && cpu::covers_cross_entropy(logits)) {
    return cpu::fused_cross_entropy(logits, labels, shard);
  }
  return CrossEntropy::apply(logits, labels, shard);
}

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const Weight& weight, const at::Tensor& labels,
                                const VocabularyShard& shard, double softcap, const KernelOptions& options) {
  const OperatorSpan span("LinearCrossEntropy");
  if (options.fused_cross_entropy && cpu::covers_cross_entropy(hidden) && !at::GradMode::is_enabled())
    return cpu::fused_linear_cross_entropy(hidden, weight, labels, {}, shard, softcap, options).losses;
  at::Tensor logits = linear(hidden, weight, {}, options);
  if (softcap > 0.0) logits = at::tanh(logits / softcap) * softcap;
  return cross_entropy(logits, labels, shard, options);
}

OutputLayerLoss linear_cross_entropy_with_gradients(const at::Tensor& hidden, const Weight& weight,
                                                    const at::Tensor& labels, const at::Tensor& loss_gradient,
                                                    const VocabularyShard& shard, double softcap,
                                                    const KernelOptions& options) {
  if (options.fused_cross_entropy && cpu::covers_cross_entropy(hidden)) {
    const OperatorSpan span("LinearCrossEntropy");
    const at::NoGradGuard no_grad;
    return cpu::fused_linear_cross_entropy(hidden, weight, labels, loss_gradient, shard, softcap, options);
  }
  const at::AutoGradMode differentiate(true);
  const at::Tensor input = hidden.detach().requires_grad_();
  const at::Tensor losses = linear_cross_entropy(input, weight, labels, shard, softcap, options);
  variable_list gradients =
      torch::autograd::grad({losses}, {input, weight.value}, {loss_gradient}, /*retain_graph=*/std::nullopt,
                            /*create_graph=*/false, /*allow_unused=*/true);
  return {.losses = losses.detach(),
          .hidden_gradient = std::move(gradients[0]),
          .weight_gradient = std::move(gradients[1])};
}

}  // namespace primus::kernels
