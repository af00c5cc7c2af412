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
  /// Accumulations per parameter in one backward; 0 until learnt.
  std::vector<int> expected;
  std::vector<int> counted;
  /// Parameters per bucket whose gradients are not complete.
  std::vector<int> missing;
  std::vector<bool> reported;
  bool last_backward = false;
  bool learnt = false;
};

ParamAndGradBuffer::ParamAndGradBuffer(const std::vector<parallel::Parameter*>& parameters,
                                       const BufferOptions& options)
    : readiness_(std::make_unique<Readiness>()) {
  if (parameters.empty()) throw Error("a buffer needs at least one parameter");
  lay_out(parameters, options);
  const at::Tensor& first = parameters.front()->weight.value;
  const std::int64_t length = buckets_.back().end;
  weights_ = at::zeros({length}, first.options().requires_grad(false));
  gradients_ = at::zeros({length}, weights_.options().dtype(at::kFloat));
  for (BufferSlot& slot : slots_) attach(slot);

  readiness_->expected.assign(slots_.size(), 0);
  readiness_->counted.assign(slots_.size(), 0);
  readiness_->missing.assign(buckets_.size(), 0);
  readiness_->reported.assign(buckets_.size(), false);
}

ParamAndGradBuffer::~ParamAndGradBuffer() {
  for (const BufferSlot& slot : slots_) slot.parameter->weight.sink->on_accumulated = nullptr;
}

void ParamAndGradBuffer::lay_out(const std::vector<parallel::Parameter*>& parameters,
                                 const BufferOptions& options) {
  const std::int64_t bucket_multiple = update_granularity * options.data_parallel_size;
  std::int64_t position = 0;
  buckets_.push_back({0, 0});
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    Bucket& bucket = buckets_.back();
    slots_.push_back({.parameter = *parameter,
                      .begin = position,
                      .end = position + (*parameter)->local_numel(),
                      .bucket = static_cast<int>(buckets_.size()) - 1});
    position = round_up(slots_.back().end, update_granularity);
    bucket.end = bucket.begin + round_up(position - bucket.begin, bucket_multiple);
    const bool full = options.bucket_size > 0 && position - bucket.begin >= options.bucket_size;
    if (full && std::next(parameter) != parameters.rend()) {
      position = bucket.end;
      buckets_.push_back({position, position});
    }
  }
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
  weight.sink->on_accumulated = [this, index] { count_accumulation(index); };
}

void ParamAndGradBuffer::zero_gradients() {
  const kernels::OperatorSpan span("ZeroGradients");
  gradients_.zero_();
}

void ParamAndGradBuffer::start_last_backward() {
  const std::lock_guard lock(readiness_->mutex);
  Readiness& state = *readiness_;
  state.last_backward = true;
  std::fill(state.counted.begin(), state.counted.end(), 0);
  std::fill(state.reported.begin(), state.reported.end(), false);
  std::fill(state.missing.begin(), state.missing.end(), 0);
  for (const BufferSlot& slot : slots_) ++state.missing[slot.bucket];
}

void ParamAndGradBuffer::count_accumulation(std::size_t slot) {
  const int bucket = slots_[slot].bucket;
  {
    const std::lock_guard lock(readiness_->mutex);
    Readiness& state = *readiness_;
    if (!state.last_backward) return;
    if (state.reported[bucket]) {
      throw Error(fmt::format("the gradient of {} is added to more often than in the first backward",
                              slots_[slot].parameter->name()));
    }
    if (++state.counted[slot] != state.expected[slot] || --state.missing[bucket] > 0) return;
    state.reported[bucket] = true;
  }
  if (on_bucket_ready) on_bucket_ready(bucket);
}

void ParamAndGradBuffer::finish_backward() {
  std::vector<int> late;
  {
    const std::lock_guard lock(readiness_->mutex);
    Readiness& state = *readiness_;
    state.last_backward = false;
    if (!state.learnt) state.expected = state.counted;
    state.learnt = true;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      if (!state.reported[bucket]) late.push_back(static_cast<int>(bucket));
      state.reported[bucket] = true;
    }
  }
  if (!on_bucket_ready) return;
  for (const int bucket : late) on_bucket_ready(bucket);
}

std::vector<std::vector<parallel::Parameter*>> group_for_buffers(
    const std::vector<const parallel::ParameterSet*>& chunks) {
  std::vector<parallel::Parameter*> dense, expert;
  for (const parallel::ParameterSet* chunk : chunks) {
    for (const auto& parameter : chunk->all())
      (parameter->spec().expert ? expert : dense).push_back(parameter.get());
  }
  std::vector<std::vector<parallel::Parameter*>> groups;
  for (auto* group : {&dense, &expert}) {
    if (!group->empty()) groups.push_back(std::move(*group));
  }
  return groups;
}

}  // namespace primus::optimizer
