#include "optimizer/distributed_data_parallel.h"

#include <ATen/Functions.h>

#include <cmath>

#include "core/error.h"
#include "optimizer/update.h"
#include "parallel/tensor_piece.h"

namespace primus::optimizer {

namespace {

at::Tensor view_of(const at::Tensor& flat, const Bucket& bucket) {
  return flat.narrow(0, bucket.begin, bucket.end - bucket.begin);
}

/// In elements; 0: one bucket.
std::int64_t bucket_size(const DataParallelConfig& config,
                         const std::vector<parallel::Parameter*>& parameters, int ranks) {
  constexpr std::int64_t smallest = 40'000'000, per_rank = 1'000'000;
  if (!config.overlap_grad_reduce) return 0;
  if (config.bucket_size) return *config.bucket_size;
  if (!config.num_buckets) return std::max(smallest, per_rank * ranks);
  std::int64_t elements = 0;
  for (const parallel::Parameter* parameter : parameters) elements += parameter->local_numel();
  return (elements + *config.num_buckets - 1) / *config.num_buckets;
}

/// `owned` as a part of a tensor that holds `bucket` alone.
at::Tensor part_of(const at::Tensor& tensor, const Bucket& bucket, const Bucket& owned) {
  return tensor.narrow(0, owned.begin - bucket.begin, owned.end - owned.begin);
}

}  // namespace

/// A bucket on its way.
struct DistributedDataParallel::Reduction {
  parallel::Pending pending;
  /// Where the result belongs, and what carries it in bf16; undefined when it travels as it is.
  at::Tensor target = {};
  at::Tensor carrier = {};
};

/// The gather of a bucket's weights.
struct DistributedDataParallel::Gather {
  const ParamAndGradBuffer* buffer;
  int bucket;
  parallel::Pending pending = {};
};

DistributedDataParallel::DistributedDataParallel(std::vector<ParamAndGradBuffer*> buffers,
                                                 const DataParallelConfig& config, const parallel::Mesh& mesh)
    : config_(config), mesh_(mesh), buffers_(std::move(buffers)) {
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    buffers_[i]->on_bucket_ready = [this, i](int bucket) { reduce(i, bucket); };
  }
  if (config_.use_distributed_optimizer) make_gathers();
}

/// Backward completes the first bucket first, and forward uses the last one first: the gathers go in that
/// order.
void DistributedDataParallel::make_gathers() {
  for (const ParamAndGradBuffer* buffer : buffers_) {
    if (placement_of(*buffer).replicas.size() == 1) continue;
    for (int bucket = static_cast<int>(buffer->buckets().size()) - 1; bucket >= 0; --bucket) {
      gathers_.push_back({buffer, bucket});
    }
  }
  if (!config_.overlap_param_gather) return;
  for (std::size_t i = 0; i < gathers_.size(); ++i) {
    for (const BufferSlot& slot : gathers_[i].buffer->slots()) {
      if (slot.bucket != gathers_[i].bucket) continue;
      before_use_.push_back(slot.parameter->before_use.add([this, i] { gathers_[i].pending.wait(); }));
    }
  }
}

DistributedDataParallel::~DistributedDataParallel() {
  for (ParamAndGradBuffer* buffer : buffers_) buffer->on_bucket_ready = nullptr;
}

parallel::Placement DistributedDataParallel::placement_of(const ParamAndGradBuffer& buffer) const {
  return parallel::placement_of(buffer.slots().front().parameter->spec(), mesh_);
}

void DistributedDataParallel::start_iteration(std::int64_t iteration, std::int64_t num_microbatches) {
  iteration_ = iteration;
  if (!config_.overlap_grad_reduce) return;
  for (ParamAndGradBuffer* buffer : buffers_) buffer->expect_gradients(num_microbatches);
}

/// Starts the reduction of one complete bucket.
void DistributedDataParallel::reduce(std::size_t index, int number) {
  const ParamAndGradBuffer& buffer = *buffers_[index];
  const Bucket &bucket = buffer.buckets()[number], owned = buffer.owned_part(number);
  const parallel::Group& group = placement_of(buffer).replicas;
  if (group.size() > 1 && config_.check_for_nan_in_grad) check_finite(buffer, bucket);
  const at::Tensor gradients = view_of(buffer.gradients(), bucket);
  if (config_.gradient_divisor > 1) gradients.div_(config_.gradient_divisor);
  if (group.size() == 1) return;

  Reduction reduction;
  const at::Tensor travelling = config_.grad_reduce_in_bf16 ? gradients.to(at::kBFloat16) : gradients;
  const at::Tensor result = part_of(travelling, bucket, owned);
  reduction.pending = config_.use_distributed_optimizer ? group.start_reduce_scatter(result, travelling)
                                                        : group.start_all_reduce(travelling);
  if (config_.grad_reduce_in_bf16) {
    reduction.carrier = result;
    reduction.target = part_of(gradients, bucket, owned);
  }
  reductions_.push_back(std::move(reduction));
}

void DistributedDataParallel::check_finite(const ParamAndGradBuffer& buffer, const Bucket& bucket) const {
  const float* gradients = buffer.gradients().const_data_ptr<float>();
  if (std::isfinite(sum_of_squares(gradients + bucket.begin, bucket.end - bucket.begin))) return;
  for (const BufferSlot& slot : buffer.slots()) {
    if (slot.begin < bucket.begin || slot.begin >= bucket.end) continue;
    if (std::isfinite(sum_of_squares(gradients + slot.begin, slot.end - slot.begin))) continue;
    throw Error(
        fmt::format("iteration {}: rank {} computed NaN or Inf in the gradient of {}. Training stops before "
                    "the weights are "
                    "touched; continue from the last checkpoint with a lower lr, or set "
                    "check_for_nan_in_loss_and_grad: false",
                    iteration_, mesh_.world().ranks()[mesh_.world().rank()], slot.parameter->name()));
  }
}

void DistributedDataParallel::finish_gradients() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    if (config_.overlap_grad_reduce) {
      buffers_[i]->check_complete();
      continue;
    }
    for (std::size_t bucket = 0; bucket < buffers_[i]->buckets().size(); ++bucket) {
      reduce(i, static_cast<int>(bucket));
    }
  }
  for (const Reduction& reduction : reductions_) {
    reduction.pending.wait();
    if (reduction.carrier.defined()) reduction.target.copy_(reduction.carrier);
  }
  reductions_.clear();
  wait_for_weights();
  for (const ParamAndGradBuffer* buffer : buffers_) {
    sum_partial_gradients(*buffer);
    sum_tied_gradients(*buffer);
  }
}

/// They travel together: each is small.
void DistributedDataParallel::sum_partial_gradients(const ParamAndGradBuffer& buffer) const {
  const parallel::Group& holders = placement_of(buffer).tensor;
  if (holders.size() == 1) return;
  std::vector<at::Tensor> gradients;
  for (const BufferSlot& slot : buffer.slots()) {
    if (slot.parameter->spec().partial_gradient)
      gradients.push_back(slot.parameter->weight.sink->main_grad.view(-1));
  }
  if (gradients.empty()) return;
  const at::Tensor together = at::cat(gradients);
  holders.all_reduce(together);
  std::int64_t begin = 0;
  for (const at::Tensor& gradient : gradients) {
    gradient.copy_(together.narrow(0, begin, gradient.numel()));
    begin += gradient.numel();
  }
}

/// The tied embedding is used by the first and the last pipeline stage, whose ranks own the same part of it.
void DistributedDataParallel::sum_tied_gradients(const ParamAndGradBuffer& buffer) const {
  if (mesh_.embedding().size() == 1) return;
  for (const BufferSlot& slot : buffer.slots()) {
    if (!slot.parameter->spec().tied_across_stages) continue;
    const Bucket owned = buffer.owned_part(slot.bucket);
    const Bucket part = {std::max(slot.begin, owned.begin), std::min(slot.end, owned.end)};
    if (part.begin < part.end) mesh_.embedding().all_reduce(view_of(buffer.gradients(), part));
  }
}

void DistributedDataParallel::gather_weights() {
  const at::NoGradGuard no_grad;
  for (Gather& gather : gathers_) {
    const Bucket& bucket = gather.buffer->buckets()[gather.bucket];
    const at::Tensor weights = view_of(gather.buffer->weights(), bucket);
    gather.pending = placement_of(*gather.buffer)
                         .replicas.start_all_gather(
                             weights, part_of(weights, bucket, gather.buffer->owned_part(gather.bucket)));
  }
  if (!config_.overlap_param_gather) wait_for_weights();
}

void DistributedDataParallel::wait_for_weights() {
  for (const Gather& gather : gathers_) gather.pending.wait();
}

std::vector<std::unique_ptr<ParamAndGradBuffer>> make_buffers(const parallel::ParameterSet& chunk,
                                                              const DataParallelConfig& config,
                                                              const parallel::Mesh& mesh) {
  std::vector<std::unique_ptr<ParamAndGradBuffer>> result;
  for (const std::vector<parallel::Parameter*>& parameters : group_for_buffers(chunk)) {
    const parallel::Group& replicas = parallel::placement_of(parameters.front()->spec(), mesh).replicas;
    result.push_back(std::make_unique<ParamAndGradBuffer>(
        parameters, BufferOptions{.bucket_size = bucket_size(config, parameters, replicas.size()),
                                  .data_parallel_rank = replicas.rank(),
                                  .data_parallel_size = replicas.size(),
                                  .use_distributed_optimizer = config.use_distributed_optimizer}));
  }
  return result;
}

}  // namespace primus::optimizer
