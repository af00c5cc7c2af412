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

std::int64_t rows_per_chunk(const at::Tensor& weight, std::int64_t chunk_bytes) {
  const std::int64_t row_bytes = weight.size(0) * static_cast<std::int64_t>(weight.element_size());
  constexpr std::int64_t fewest = 64;
  return std::max(fewest, chunk_bytes / row_bytes / fewest * fewest);
}

/// Adds to the same buffer, at once or later as `sink` does, but tells nobody: the gradient is whole only
/// after the last chunk.
c10::intrusive_ptr<GradientSink> quiet_sink(const c10::intrusive_ptr<GradientSink>& sink) {
  if (sink == nullptr) return {};
  auto quiet = c10::make_intrusive<GradientSink>();
  quiet->main_grad = sink->main_grad;
  quiet->defer = sink->defer;
  return quiet;
}

void report_weight_gradient(const c10::intrusive_ptr<GradientSink>& sink) {
  if (sink == nullptr) return;
  const auto report = [sink] { sink->on_accumulated.notify(); };
  if (sink->defer) return sink->defer(report);
  report();
}

/// The output layer, its tokens as rows, with what its losses and gradients are made of.
struct OutputLayer {
  const at::Tensor& weight;
  c10::intrusive_ptr<GradientSink> sink;
  const VocabularyShard& shard;
  LossOptions loss;
  KernelOptions kernels;
};

/// Turns the logits of some tokens into their gradients and takes those of the hidden states and the weight.
void take_gradients(const OutputLayer& layer, const at::Tensor& hidden, const at::Tensor& labels,
                    const LogitStatistics& statistics, const at::Tensor& loss_gradient,
                    const at::Tensor& logits, const at::Tensor& hidden_gradient,
                    at::Tensor& weight_gradient) {
  compute_gradients(logits, labels,
                    {statistics.maximum.contiguous(), statistics.sum_of_exponentials.contiguous(),
                     statistics.label_logit.contiguous()},
                    loss_gradient, logits, layer.loss);
  hidden_gradient.copy_(linear_input_gradient(logits, layer.weight, layer.kernels));
  const at::Tensor part = linear_weight_gradient(logits, hidden, layer.sink, layer.kernels);
  if (part.defined()) weight_gradient = weight_gradient.defined() ? weight_gradient + part : part;
}

}  // namespace

bool covers_cross_entropy(const at::Tensor& logits) {
  return logits.is_cpu() && is_pass_dtype(logits.scalar_type()) && logits.numel() > 0;
}

at::Tensor fused_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                               const VocabularyShard& shard, Isa isa) {
  return FusedCrossEntropy::apply(logits, labels, shard, isa);
}

OutputLayerLoss fused_linear_cross_entropy(const at::Tensor& hidden, const Weight& weight,
                                           const at::Tensor& labels, const at::Tensor& loss_gradient,
                                           const VocabularyShard& shard, double softcap,
                                           const KernelOptions& options, std::int64_t chunk_bytes, Isa isa) {
  const OutputLayer layer{.weight = weight.value,
                          .sink = quiet_sink(weight.sink),
                          .shard = shard,
                          .loss = {shard.first, softcap, isa},
                          .kernels = options};
  const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)}).contiguous();
  const at::Tensor flat = flat_labels(labels);
  const at::Tensor losses = at::empty({rows.size(0)}, at::kFloat);
  at::Tensor row_gradients, weight_gradient, token_weights;
  if (loss_gradient.defined()) {
    row_gradients = at::empty_like(rows);
    token_weights = loss_gradient.reshape({-1}).to(at::kFloat).contiguous();
  }
  const std::int64_t chunk_rows = rows_per_chunk(weight.value, chunk_bytes);
  for (std::int64_t first = 0; first < rows.size(0); first += chunk_rows) {
    const std::int64_t count = std::min(chunk_rows, rows.size(0) - first);
    const auto chunk = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
    const at::Tensor logits = linear(chunk(rows), Weight{weight.value, nullptr}, {}, options);
    LogitStatistics statistics = empty_statistics(count);
    compute_statistics(logits, chunk(flat), statistics, layer.loss);
    if (shard.combine) shard.combine(statistics);
    if (loss_gradient.defined()) {
      take_gradients(layer, chunk(rows), chunk(flat), statistics, chunk(token_weights), logits,
                     chunk(row_gradients), weight_gradient);
    }
    chunk(losses).copy_(loss_of(statistics));
  }
  if (!loss_gradient.defined()) return {.losses = losses.view(labels.sizes())};
  report_weight_gradient(weight.sink);
  return {.losses = losses.view(labels.sizes()),
          .hidden_gradient = row_gradients.view(hidden.sizes()),
          .weight_gradient = weight_gradient};
}

}  // namespace primus::kernels::cpu
