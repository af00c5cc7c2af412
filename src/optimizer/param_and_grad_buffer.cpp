#include "optimizer/param_and_grad_buffer.h"

#include <ATen/Functions.h>

#include <mutex>
#include <numeric>

#include "core/error.h"
#include "core/round_up.h"
#include "kernels/span.h"
#include "optimizer/update.h"

namespace primus::optimizer {

/// Backward may run on autograd's own threads, hence the lock.
struct ParamAndGradBuffer::Readiness {
  std::mutex mutex;
  /// Accumulations that are still to come: of each parameter, and of each bucket.
  std::vector<std::int64_t> missing;
  std::vector<std::int64_t> missing_in_bucket;
  bool counting = false;
  /// Of each slot.
  std::vector<Listeners::Subscription> subscriptions;
};

ParamAndGradBuffer::ParamAndGradBuffer(const std::vector<parallel::Parameter*>& parameters,
                                       const BufferOptions& options)
    : options_(options), readiness_(std::make_unique<Readiness>()) {
  if (parameters.empty()) throw Error("a buffer needs at least one parameter");
  lay_out(parameters);
  const at::Tensor& first = parameters.front()->weight.value;
  const std::int64_t length = buckets_.back().end;
  weights_ = at::zeros({length}, first.options().requires_grad(false));
  gradients_ = at::zeros({length}, weights_.options().dtype(at::kFloat));
  for (BufferSlot& slot : slots_) attach(slot);
}

ParamAndGradBuffer::~ParamAndGradBuffer() = default;

void ParamAndGradBuffer::lay_out(const std::vector<parallel::Parameter*>& parameters) {
  const std::int64_t bucket_multiple = update_granularity * options_.data_parallel_size;
  std::int64_t position = 0;
  const auto start_bucket = [&] {
    if (!buckets_.empty()) position = buckets_.back().end;
    buckets_.push_back({position, position});
  };
  start_bucket();
  bool full = false;
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    // Both stages' optimizers must share a tied parameter in the same way: it has a bucket of its own.
    const bool alone = (*parameter)->spec().tied_across_stages && options_.use_distributed_optimizer;
    if (parameter != parameters.rbegin() && (full || alone)) start_bucket();
    Bucket& bucket = buckets_.back();
    slots_.push_back({.parameter = *parameter,
                      .begin = position,
                      .end = position + (*parameter)->local_numel(),
                      .bucket = static_cast<int>(buckets_.size()) - 1});
    position = round_up(slots_.back().end, update_granularity);
    bucket.end = bucket.begin + round_up(position - bucket.begin, bucket_multiple);
    full = alone || (options_.bucket_size > 0 && position - bucket.begin >= options_.bucket_size);
  }
}

Bucket ParamAndGradBuffer::owned_part(int number) const {
  const Bucket& bucket = buckets_[number];
  if (!options_.use_distributed_optimizer) return bucket;
  const std::int64_t length = (bucket.end - bucket.begin) / options_.data_parallel_size;
  const std::int64_t begin = bucket.begin + options_.data_parallel_rank * length;
  return {begin, begin + length};
}

void ParamAndGradBuffer::attach(BufferSlot& slot) {
  kernels::Weight& weight = slot.parameter->weight;
  const at::NoGradGuard no_grad;
  at::Tensor view = weights_.slice(0, slot.begin, slot.end).view(slot.parameter->local_shape());
  view.copy_(weight.value);
  weight.value.set_data(view);
  weight.sink = c10::make_intrusive<kernels::GradientSink>();
  weight.sink->main_grad = gradients_.slice(0, slot.begin, slot.end).view(slot.parameter->local_shape());
  const auto index = static_cast<std::size_t>(&slot - slots_.data());
  readiness_->subscriptions.push_back(
      weight.sink->on_accumulated.add([this, index] { count_accumulation(index); }));
}

void ParamAndGradBuffer::zero_gradients() {
  const kernels::OperatorSpan span("ZeroGradients");
  gradients_.zero_();
}

void ParamAndGradBuffer::expect_gradients(std::int64_t num_microbatches) {
  const std::lock_guard lock(readiness_->mutex);
  Readiness& state = *readiness_;
  state.counting = true;
  state.missing.assign(slots_.size(), 0);
  state.missing_in_bucket.assign(buckets_.size(), 0);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    state.missing[i] = num_microbatches * slots_[i].parameter->uses();
    state.missing_in_bucket[slots_[i].bucket] += state.missing[i];
  }
}

void ParamAndGradBuffer::count_accumulation(std::size_t slot) {
  const int bucket = slots_[slot].bucket;
  {
    const std::lock_guard lock(readiness_->mutex);
    Readiness& state = *readiness_;
    if (!state.counting) return;
    if (--state.missing[slot] < 0) {
      throw Error(fmt::format("the gradient of {} is added to more often than its uses and micro-batches say",
                              slots_[slot].parameter->name()));
    }
    if (--state.missing_in_bucket[bucket] > 0) return;
  }
  if (on_bucket_ready) on_bucket_ready(bucket);
}

void ParamAndGradBuffer::check_complete() const {
  const std::lock_guard lock(readiness_->mutex);
  for (std::size_t i = 0; i < readiness_->missing.size(); ++i) {
    if (readiness_->missing[i] == 0) continue;
    throw Error(
        fmt::format("the gradient of {} was added to {} times fewer than its uses and micro-batches say",
                    slots_[i].parameter->name(), readiness_->missing[i]));
  }
}

std::vector<std::vector<parallel::Parameter*>> group_for_buffers(const parallel::ParameterSet& chunk) {
  std::vector<parallel::Parameter*> dense, expert;
  for (const auto& parameter : chunk.all())
    (parameter->spec().expert ? expert : dense).push_back(parameter.get());
  std::vector<std::vector<parallel::Parameter*>> groups;
  for (auto* group : {&dense, &expert}) {
    if (!group->empty()) groups.push_back(std::move(*group));
  }
  return groups;
}

}  // namespace primus::optimizer
