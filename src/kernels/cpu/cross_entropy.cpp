#include "kernels/cpu/cross_entropy.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

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

LogitStatistics part_of(const LogitStatistics& all, std::int64_t first, std::int64_t rows) {
  return {all.maximum.narrow(0, first, rows), all.sum_of_exponentials.narrow(0, first, rows),
          all.label_logit.narrow(0, first, rows)};
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

/// What the backward of the fused output layer and loss needs besides the saved tensors.
struct OutputLayerState : torch::CustomClassHolder {
  LossOptions loss;
  KernelOptions kernels;
  LogitMemory memory;
  VocabularyShard shard;
  c10::intrusive_ptr<GradientSink> sink;
  bool differentiates = false;
  LogitStatistics statistics;
  std::int64_t chunk_rows = 0;
  /// Of the first chunks; consumed by the backward.
  std::vector<at::Tensor> kept_logits;
};

std::int64_t rows_per_chunk(const at::Tensor& weight, const LogitMemory& memory) {
  const std::int64_t row_bytes = weight.size(0) * static_cast<std::int64_t>(weight.element_size());
  constexpr std::int64_t fewest = 64;
  return std::max(fewest, memory.chunk_bytes / row_bytes / fewest * fewest);
}

/// W·hᵀ is not differentiated here: gradients are taken by hand.
at::Tensor chunk_logits(const at::Tensor& hidden, const at::Tensor& weight, const OutputLayerState& state) {
  const at::NoGradGuard no_grad;
  return linear(hidden, Weight{weight, nullptr}, {}, state.kernels);
}

struct FusedLinearCrossEntropy : torch::autograd::Function<FusedLinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& labels, const c10::intrusive_ptr<OutputLayerState>& state) {
    const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)}).contiguous();
    const at::Tensor flat = flat_labels(labels);
    state->statistics = empty_statistics(rows.size(0));
    state->chunk_rows = rows_per_chunk(weight, state->memory);
    std::int64_t kept = 0;
    for (std::int64_t first = 0; first < rows.size(0); first += state->chunk_rows) {
      const std::int64_t count = std::min(state->chunk_rows, rows.size(0) - first);
      const at::Tensor logits = chunk_logits(rows.narrow(0, first, count), weight, *state);
      compute_statistics(logits, flat.narrow(0, first, count), part_of(state->statistics, first, count),
                         state->loss);
      kept += static_cast<std::int64_t>(logits.nbytes());
      if (state->differentiates && kept <= state->memory.kept_bytes) {
        state->kept_logits.push_back(logits);
      }
    }
    if (state->shard.combine) state->shard.combine(state->statistics);
    state->statistics = {state->statistics.maximum.contiguous(),
                         state->statistics.sum_of_exponentials.contiguous(),
                         state->statistics.label_logit.contiguous()};
    ctx->save_for_backward({rows, weight, flat});
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    ctx->saved_data["shape"] = hidden.sizes().vec();
    return loss_of(state->statistics).view(labels.sizes());
  }

  static variable_list backward(AutogradContext* ctx, variable_list upstream) {
    const variable_list saved = ctx->get_saved_variables();
    const auto state =
        c10::static_intrusive_pointer_cast<OutputLayerState>(ctx->saved_data["state"].toCapsule());
    const at::Tensor& rows = saved[0];
    const at::Tensor loss_gradient = upstream[0].reshape({-1}).to(at::kFloat).contiguous();
    at::Tensor hidden_gradient = at::empty_like(rows);
    at::Tensor weight_gradient;
    const auto chunk_sink = sink_of_chunks(state->sink);
    // Dropped as they are used; a second backward makes them again.
    std::vector<at::Tensor> kept = std::move(state->kept_logits);
    for (std::int64_t first = 0, chunk = 0; first < rows.size(0); first += state->chunk_rows, ++chunk) {
      const std::int64_t count = std::min(state->chunk_rows, rows.size(0) - first);
      const at::Tensor hidden = rows.narrow(0, first, count);
      const auto index = static_cast<std::size_t>(chunk);
      at::Tensor logits =
          index < kept.size() ? std::move(kept[index]) : chunk_logits(hidden, saved[1], *state);
      compute_gradients(logits, saved[2].narrow(0, first, count), part_of(state->statistics, first, count),
                        loss_gradient.narrow(0, first, count), logits, state->loss);
      hidden_gradient.narrow(0, first, count).copy_(linear_input_gradient(logits, saved[1], state->kernels));
      const at::Tensor part = linear_weight_gradient(logits, hidden, chunk_sink, state->kernels);
      if (part.defined()) {
        weight_gradient = weight_gradient.defined() ? weight_gradient + part : part;
      }
    }
    if (state->sink != nullptr && state->sink->on_accumulated) state->sink->on_accumulated();
    return {hidden_gradient.view(ctx->saved_data["shape"].toIntVector()), weight_gradient, {}, {}};
  }

 private:
  /// Adds to the same buffer but tells nobody: the gradient is whole after the last chunk only.
  static c10::intrusive_ptr<GradientSink> sink_of_chunks(const c10::intrusive_ptr<GradientSink>& sink) {
    if (sink == nullptr) return {};
    auto quiet = c10::make_intrusive<GradientSink>();
    quiet->main_grad = sink->main_grad;
    return quiet;
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
                                      const at::Tensor& labels, const VocabularyShard& shard, double softcap,
                                      const KernelOptions& options, const LogitMemory& memory, Isa isa) {
  auto state = c10::make_intrusive<OutputLayerState>();
  state->loss = {shard.first, softcap, isa};
  state->kernels = options;
  state->memory = memory;
  state->shard = shard;
  state->sink = weight.sink;
  state->differentiates = at::GradMode::is_enabled();
  return FusedLinearCrossEntropy::apply(hidden, weight.value, labels, state);
}

}  // namespace primus::kernels::cpu
