#include "kernels/cpu/cross_entropy.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "kernels/cpu/isa/cross_entropy.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"
#include "kernels/linear.h"

namespace primus::kernels::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct LossOptions {
  std::int64_t first_column = 0;
  double softcap = 0.0;
  Isa isa = best_isa();
};

LogitStatistics empty_statistics(std::int64_t rows) {
  const auto make = [rows] { return at::empty({rows}, at::kFloat); };
  return {make(), make(), make()};
}

template <class T>
LogitRows<T> logit_rows(const at::Tensor& logits, const at::Tensor& labels, const LogitStatistics& statistics,
                        const LossOptions& options) {
  LogitRows<T> call;
  call.width = logits.size(-1);
  call.first_column = options.first_column;
  call.softcap = static_cast<float>(options.softcap);
  call.logits = logits.const_data_ptr<T>();
  call.labels = labels.const_data_ptr<std::int64_t>();
  call.maximum = statistics.maximum.mutable_data_ptr<float>();
  call.sum_of_exponentials = statistics.sum_of_exponentials.mutable_data_ptr<float>();
  call.label_logit = statistics.label_logit.mutable_data_ptr<float>();
  return call;
}

/// logits [n, v], labels [n], both contiguous.
void compute_statistics(const at::Tensor& logits, const at::Tensor& labels, const LogitStatistics& statistics,
                        const LossOptions& options) {
  with_pass_types(logits.scalar_type(), options.isa, [&]<class T, Isa isa>() {
    const LogitRows<T> call = logit_rows<T>(logits, labels, statistics, options);
    at::parallel_for(0, logits.size(0), row_grain(call.width), [&](std::int64_t first, std::int64_t last) {
      logit_statistics<isa>(call, first, last);
    });
  });
}

void compute_gradients(const at::Tensor& logits, const at::Tensor& labels, const LogitStatistics& statistics,
                       const at::Tensor& loss_gradient, const at::Tensor& gradient,
                       const LossOptions& options) {
  with_pass_types(logits.scalar_type(), options.isa, [&]<class T, Isa isa>() {
    LogitRows<T> call = logit_rows<T>(logits, labels, statistics, options);
    call.loss_gradient = loss_gradient.const_data_ptr<float>();
    call.gradient = gradient.mutable_data_ptr<T>();
    at::parallel_for(0, logits.size(0), row_grain(call.width),
                     [&](std::int64_t first, std::int64_t last) { logit_gradients<isa>(call, first, last); });
  });
}

at::Tensor loss_of(const LogitStatistics& statistics) {
  // The difference first: both may be large.
  return statistics.maximum - statistics.label_logit + statistics.sum_of_exponentials.log();
}

at::Tensor flat_labels(const at::Tensor& labels) { return labels.reshape({-1}).contiguous(); }

struct FusedCrossEntropy : torch::autograd::Function<FusedCrossEntropy> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& logits, const at::Tensor& labels,
                            const VocabularyShard& shard, Isa isa) {
    const at::Tensor rows = logits.reshape({-1, logits.size(-1)}).contiguous();
    const at::Tensor flat = flat_labels(labels);
    LogitStatistics statistics = empty_statistics(rows.size(0));
    compute_statistics(rows, flat, statistics, {shard.first, 0.0, isa});
    if (shard.combine) shard.combine(statistics);
    ctx->save_for_backward({rows, flat, statistics.maximum, statistics.sum_of_exponentials});
    ctx->saved_data["first"] = shard.first;
    ctx->saved_data["isa"] = static_cast<std::int64_t>(isa);
    ctx->saved_data["shape"] = logits.sizes().vec();
    return loss_of(statistics).view(labels.sizes());
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const LossOptions options{ctx->saved_data["first"].toInt(), 0.0,
                              static_cast<Isa>(ctx->saved_data["isa"].toInt())};
    const at::Tensor loss_gradient = upstream[0].reshape({-1}).to(at::kFloat).contiguous();
    at::Tensor gradient = at::empty_like(saved[0]);
    compute_gradients(saved[0], saved[1], {saved[2].contiguous(), saved[3].contiguous(), saved[2]},
                      loss_gradient, gradient, options);
    return {gradient.view(ctx->saved_data["shape"].toIntVector()), {}, {}, {}};
  }
};

/// What the operator is asked for besides its tensors, and what its backward hands out.
struct OutputLayerState : torch::CustomClassHolder {
  LossOptions loss;
  KernelOptions kernels;
  std::int64_t chunk_rows = 0;
  VocabularyShard shard;
  c10::intrusive_ptr<GradientSink> sink;
  /// fp32 [n]; undefined: nothing is differentiated.
  at::Tensor loss_gradient;
  at::Tensor hidden_gradient;
  /// Undefined with a sink.
  at::Tensor weight_gradient;
};

std::int64_t rows_per_chunk(const at::Tensor& weight, std::int64_t chunk_bytes) {
  const std::int64_t row_bytes = weight.size(0) * static_cast<std::int64_t>(weight.element_size());
  constexpr std::int64_t fewest = 64;
  return std::max(fewest, chunk_bytes / row_bytes / fewest * fewest);
}

/// Adds to the same buffer but tells nobody: the gradient is reported in the backward, when it is whole.
c10::intrusive_ptr<GradientSink> quiet_sink(const c10::intrusive_ptr<GradientSink>& sink) {
  if (sink == nullptr) return {};
  auto quiet = c10::make_intrusive<GradientSink>();
  quiet->main_grad = sink->main_grad;
  return quiet;
}

/// The losses of some tokens; their logits become gradients where they lie, and end with this function.
at::Tensor chunk_losses(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& labels,
                        std::int64_t first, OutputLayerState& state) {
  const std::int64_t count = hidden.size(0);
  const at::Tensor logits = linear(hidden, Weight{weight, nullptr}, {}, state.kernels);
  LogitStatistics statistics = empty_statistics(count);
  compute_statistics(logits, labels, statistics, state.loss);
  if (state.shard.combine) state.shard.combine(statistics);
  if (state.loss_gradient.defined()) {
    compute_gradients(logits, labels,
                      {statistics.maximum.contiguous(), statistics.sum_of_exponentials.contiguous(),
                       statistics.label_logit.contiguous()},
                      state.loss_gradient.narrow(0, first, count), logits, state.loss);
    state.hidden_gradient.narrow(0, first, count).copy_(linear_input_gradient(logits, weight, state.kernels));
    const at::Tensor part = linear_weight_gradient(logits, hidden, quiet_sink(state.sink), state.kernels);
    if (part.defined()) {
      state.weight_gradient = state.weight_gradient.defined() ? state.weight_gradient + part : part;
    }
  }
  return loss_of(statistics);
}

struct FusedLinearCrossEntropy : torch::autograd::Function<FusedLinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& labels, const c10::intrusive_ptr<OutputLayerState>& state) {
    const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)}).contiguous();
    const at::Tensor flat = flat_labels(labels);
    if (state->loss_gradient.defined()) state->hidden_gradient = at::empty_like(rows);
    const at::Tensor losses = at::empty({rows.size(0)}, at::kFloat);
    for (std::int64_t first = 0; first < rows.size(0); first += state->chunk_rows) {
      const std::int64_t count = std::min(state->chunk_rows, rows.size(0) - first);
      losses.narrow(0, first, count)
          .copy_(chunk_losses(rows.narrow(0, first, count), weight, flat.narrow(0, first, count), first,
                              *state));
    }
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    ctx->saved_data["shape"] = hidden.sizes().vec();
    return losses.view(labels.sizes());
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const auto state =
        c10::static_intrusive_pointer_cast<OutputLayerState>(ctx->saved_data["state"].toCapsule());
    if (!state->hidden_gradient.defined())
      throw Error("the output layer's gradients are taken once, and only with a loss_gradient");
    if (!at::equal(upstream[0].reshape({-1}).to(at::kFloat), state->loss_gradient))
      throw Error("the losses' gradient is not the loss_gradient that the forward was given");
    if (state->sink != nullptr) state->sink->on_accumulated.notify();
    const at::Tensor hidden_gradient = std::move(state->hidden_gradient);
    return {hidden_gradient.view(ctx->saved_data["shape"].toIntVector()),
            std::move(state->weight_gradient),
            {},
            {}};
  }
};

}  // namespace

bool covers_cross_entropy(const at::Tensor& logits) {
  return logits.is_cpu() && is_pass_dtype(logits.scalar_type()) && logits.numel() > 0;
}

at::Tensor fused_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                               const VocabularyShard& shard, Isa isa) {
  return FusedCrossEntropy::apply(logits, labels, shard, isa);
}

at::Tensor fused_linear_cross_entropy(const at::Tensor& hidden, const Weight& weight,
                                      const at::Tensor& labels, const at::Tensor& loss_gradient,
                                      const VocabularyShard& shard, double softcap,
                                      const KernelOptions& options, std::int64_t chunk_bytes, Isa isa) {
  auto state = c10::make_intrusive<OutputLayerState>();
  state->loss = {shard.first, softcap, isa};
  state->kernels = options;
  state->chunk_rows = rows_per_chunk(weight.value, chunk_bytes);
  state->shard = shard;
  state->sink = weight.sink;
  if (at::GradMode::is_enabled() && loss_gradient.defined())
    state->loss_gradient = loss_gradient.detach().reshape({-1}).to(at::kFloat).contiguous();
  return FusedLinearCrossEntropy::apply(hidden, weight.value, labels, state);
}

}  // namespace primus::kernels::cpu
