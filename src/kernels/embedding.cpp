#include "kernels/embedding.h"

#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/compute_dtype.h"
#include "kernels/cpu/embedding.h"
#include "kernels/span.h"

namespace primus::kernels {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// The fused operator; weight gradients of other dtypes than fp32 are left to the composite.
struct FusedEmbedding : torch::autograd::Function<FusedEmbedding> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& weight, const at::Tensor& ids,
                            const c10::intrusive_ptr<GradientSink>& sink, std::int64_t first_row) {
    ctx->save_for_backward({weight, ids});
    ctx->saved_data["sink"] = pack_sink(sink);
    ctx->saved_data["first_row"] = first_row;
    return cpu::gather_rows(weight, ids, first_row);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const auto sink = unpack_sink(ctx->saved_data["sink"]);
    const std::int64_t first_row = ctx->saved_data["first_row"].toInt();
    if (sink != nullptr) {
      cpu::add_rows(sink->main_grad, saved[1], gradients[0], first_row);
      sink->on_accumulated.notify();
      return {{}, {}, {}, {}};
    }
    const at::Tensor gradient = at::zeros(saved[0].sizes(), saved[0].options().dtype(at::kFloat));
    cpu::add_rows(gradient, saved[1], gradients[0], first_row);
    return {gradient.to(saved[0].scalar_type()), {}, {}, {}};
  }
};

bool embeds_fused(const Weight& weight, const KernelOptions& options) {
  const bool sums_in_fp32 = weight.sink == nullptr || (weight.sink->main_grad.scalar_type() == at::kFloat &&
                                                       weight.sink->main_grad.is_contiguous());
  return options.fused_embedding && sums_in_fp32 && cpu::covers_embedding(weight.value);
}

struct Embedding : torch::autograd::Function<Embedding> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& weight, const at::Tensor& ids,
                            const c10::intrusive_ptr<GradientSink>& sink, std::int64_t first_row) {
    const at::Tensor rows = ids - first_row;
    const at::Tensor elsewhere = rows.lt(0).logical_or(rows.ge(weight.size(0)));
    ctx->save_for_backward({weight, rows, elsewhere});
    ctx->saved_data["sink"] = pack_sink(sink);
    return at::embedding(weight, rows.masked_fill(elsewhere, 0)).masked_fill_(elsewhere.unsqueeze(-1), 0);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor here = saved[2].logical_not();
    const at::Tensor rows = saved[1].masked_select(here);
    const at::Tensor dy = gradients[0].index({here});
    const auto sink = unpack_sink(ctx->saved_data["sink"]);
    if (sink != nullptr) {
      sink->main_grad.index_add_(0, rows, dy.to(sink->main_grad.scalar_type()));
      sink->on_accumulated.notify();
      return {{}, {}, {}, {}};
    }
    at::Tensor gradient = at::zeros(saved[0].sizes(), saved[0].options().dtype(compute_dtype(saved[0])));
    gradient.index_add_(0, rows, dy.to(gradient.scalar_type()));
    return {gradient.to(saved[0].scalar_type()), {}, {}, {}};
  }
};

}  // namespace

at::Tensor embedding(const at::Tensor& ids, const Weight& weight, std::int64_t first_row,
                     const KernelOptions& options) {
  const OperatorSpan span("Embedding");
  if (embeds_fused(weight, options)) return FusedEmbedding::apply(weight.value, ids, weight.sink, first_row);
  return Embedding::apply(weight.value, ids, weight.sink, first_row);
}

}  // namespace primus::kernels
