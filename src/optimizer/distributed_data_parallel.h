#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "optimizer/param_and_grad_buffer.h"
#include "parallel/mesh.h"
#include "parallel/placement.h"

namespace primus::optimizer {

struct DataParallelConfig {
  /// Each bucket is reduced as soon as backward has completed it, while backward goes on.
  bool overlap_grad_reduce = false;
  /// Every data-parallel rank keeps optimizer state for an equal part of each bucket: gradients are
  /// reduce-scattered, and the updated weights gathered.
  bool use_distributed_optimizer = false;
  /// The gathers of the updated weights go on in the background; a layer waits for its own when it is used.
  bool overlap_param_gather = false;
  /// Gradients travel as bf16 (they are summed in fp32 on arrival); otherwise as fp32.
  bool grad_reduce_in_bf16 = false;
  /// Divides each rank's gradients before they are summed; see LossNormalization.
  int gradient_divisor = 1;
  /// Where reductions overlap, a bucket closes at `bucket_size` elements, or at such a size that there are
  /// about `num_buckets`. Neither: Megatron's max(40 million, 1 million per data-parallel rank).
  std::optional<std::int64_t> bucket_size;
  std::optional<std::int64_t> num_buckets;
  /// A gradient with NaN or Inf is reported with its rank and parameter before it is spread to the others.
  bool check_for_nan_in_grad = true;
};

/// Makes the gradients of one model replica those of the whole batch: Megatron's DistributedDataParallel and
/// finalize_model_grads.
///
///     DistributedDataParallel data_parallel({&buffer}, config, mesh);
///     ... every iteration: zero the gradients ...
///     data_parallel.start_iteration(iteration, num_microbatches);
///     ... forward and backward of all micro-batches ...
///     data_parallel.finish_gradients();
///     optimizer.step(...);
///     data_parallel.gather_weights();
///
/// Sums are taken in rank order, so bucket sizes, overlap and the distributed optimizer do not change a bit
/// of the result.
class DistributedDataParallel {
 public:
  /// The buffers must outlive this object, which takes over their `on_bucket_ready`.
  DistributedDataParallel(std::vector<ParamAndGradBuffer*> buffers, const DataParallelConfig& config,
                          const parallel::Mesh& mesh);
  ~DistributedDataParallel();
  DistributedDataParallel(const DistributedDataParallel&) = delete;
  DistributedDataParallel& operator=(const DistributedDataParallel&) = delete;

  void start_iteration(std::int64_t iteration, std::int64_t num_microbatches);
  /// Returns when all gradients are those of the whole batch; with the distributed optimizer only in this
  /// rank's part of each bucket. No gather of weights is then under way, so that the optimizer may read and
  /// write its part of them. Throws Error that names iteration, rank and parameter for NaN or Inf.
  void finish_gradients();
  /// With the distributed optimizer: spreads the weights that each rank has updated. With overlap, whoever
  /// reads weights elsewhere than in a forward pass calls `wait_for_weights` first.
  void gather_weights();
  void wait_for_weights();

 private:
  struct Reduction;
  struct Gather;

  void make_gathers();
  void reduce(std::size_t buffer, int bucket);
  void check_finite(const ParamAndGradBuffer& buffer, const Bucket& bucket) const;
  void sum_partial_gradients(const ParamAndGradBuffer& buffer) const;
  void sum_tied_gradients(const ParamAndGradBuffer& buffer) const;
  parallel::Placement placement_of(const ParamAndGradBuffer& buffer) const;

  DataParallelConfig config_;
  parallel::Mesh mesh_;
  std::vector<ParamAndGradBuffer*> buffers_;
  std::vector<Reduction> reductions_;
  std::vector<Gather> gathers_;
  /// Of the parameters whose weights are gathered in the background.
  std::vector<Listeners::Subscription> before_use_;
  std::int64_t iteration_ = 0;
};

/// The buffers of a model chunk: one for its dense parameters, and one for its experts if there are any, each
/// cut for the ranks that reduce it.
std::vector<std::unique_ptr<ParamAndGradBuffer>> make_buffers(const parallel::ParameterSet& chunk,
                                                              const DataParallelConfig& config,
                                                              const parallel::Mesh& mesh);

}  // namespace primus::optimizer
