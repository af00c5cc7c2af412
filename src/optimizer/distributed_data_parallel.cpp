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

/// The part of a bucket that the rank owns with the distributed optimizer.
at::Tensor part_of(const at::Tensor& bucket, const parallel::Group& group) {
  const std::int64_t length = bucket.numel() / group.size();
  return bucket.narrow(0, group.rank() * length, length);
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
    if (group_of(*buffer).size() == 1) continue;
    for (int bucket = static_cast<int>(buffer->buckets().size()) - 1; bucket >= 0; --bucket) {
      gathers_.push_back({buffer, bucket});
    }
  }
  if (!config_.overlap_param_gather) return;
  for (std::size_t i = 0; i < gathers_.size(); ++i) {
    for (const BufferSlot& slot : gathers_[i].buffer->slots()) {
      if (slot.bucket != gathers_[i].bucket) continue;
      slot.parameter->before_use = [this, i] { gathers_[i].pending.wait(); };
    }
  }
}

DistributedDataParallel::~DistributedDataParallel() {
  for (ParamAndGradBuffer* buffer : buffers_) {
    buffer->on_bucket_ready = nullptr;
    for (const BufferSlot& slot : buffer->slots()) slot.parameter->before_use = nullptr;
  }
}

const parallel::Group& DistributedDataParallel::group_of(const ParamAndGradBuffer& buffer) const {
  return parallel::replication_group(*buffer.slots().front().parameter, mesh_);
}

void DistributedDataParallel::start_last_backward(std::int64_t iteration) {
  iteration_ = iteration;
  if (!config_.overlap_grad_reduce) return;
  for (ParamAndGradBuffer* buffer : buffers_) buffer->start_last_backward();
}

/// Starts the reduction of one complete bucket.
void DistributedDataParallel::reduce(std::size_t index, int number) {
  const ParamAndGradBuffer& buffer = *buffers_[index];
  const Bucket& bucket = buffer.buckets()[number];
  const parallel::Group& group = group_of(buffer);
  if (group.size() > 1 && config_.check_for_nan_in_grad) check_finite(buffer, bucket);
  const at::Tensor gradients = view_of(buffer.gradients(), bucket);
  // The batch is averaged over all its ranks; a group of experts' replicas has fewer of them.
  const int ranks = mesh_.data_context().size();
  if (ranks > 1 && !config_.calculate_per_token_loss) gradients.div_(ranks);
  if (group.size() == 1) return;

  Reduction reduction;
  const at::Tensor travelling = config_.grad_reduce_in_bf16 ? gradients.to(at::kBFloat16) : gradients;
  const bool scatter = config_.use_distributed_optimizer;
  const at::Tensor result = scatter ? part_of(travelling, group) : travelling;
  reduction.pending =
      scatter ? group.start_reduce_scatter(result, travelling) : group.start_all_reduce(travelling);
  if (config_.grad_reduce_in_bf16) {
    reduction.carrier = result;
    reduction.target = scatter ? part_of(gradients, group) : gradients;
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
      buffers_[i]->finish_backward();
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
  sum_sequence_parallel_gradients();
}

/// Parameters that every tensor-parallel rank holds while it saw only its part of the tokens or heads. They
/// travel together: each is small.
void DistributedDataParallel::sum_sequence_parallel_gradients() {
  if (mesh_.tensor().size() == 1) return;
  std::vector<at::Tensor> gradients;
  for (const ParamAndGradBuffer* buffer : buffers_) {
    for (const BufferSlot& slot : buffer->slots()) {
      if (!slot.parameter->spec().sequence_parallel) continue;
      gradients.push_back(slot.parameter->weight.sink->main_grad.view(-1));
    }
  }
  if (gradients.empty()) return;
  const at::Tensor together = at::cat(gradients);
  mesh_.tensor().all_reduce(together);
  std::int64_t begin = 0;
  for (const at::Tensor& gradient : gradients) {
    gradient.copy_(together.narrow(0, begin, gradient.numel()));
    begin += gradient.numel();
  }
}

void DistributedDataParallel::gather_weights() {
  const at::NoGradGuard no_grad;
  for (Gather& gather : gathers_) {
    const parallel::Group& group = group_of(*gather.buffer);
    const at::Tensor weights = view_of(gather.buffer->weights(), gather.buffer->buckets()[gather.bucket]);
    gather.pending = group.start_all_gather(weights, part_of(weights, group));
  }
  if (!config_.overlap_param_gather) wait_for_weights();
}

void DistributedDataParallel::wait_for_weights() {
  for (const Gather& gather : gathers_) gather.pending.wait();
}

OptimizerShard optimizer_shard(const DataParallelConfig& config, const parallel::Mesh& mesh) {
  if (!config.use_distributed_optimizer) return {};
  return {mesh.data_context().rank(), mesh.data_context().size()};
}

}  // namespace primus::optimizer
