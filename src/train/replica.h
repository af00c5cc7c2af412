#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/gpt_model.h"
#include "optimizer/distributed_data_parallel.h"
#include "optimizer/loss_normalization.h"
#include "optimizer/optimizer.h"
#include "parallel/tensor_piece.h"
#include "pipeline/executor.h"
#include "train/batches.h"

namespace primus::train {

/// Σ loss and Σ tokens, in nats: their ratio is the loss that is reported, weighted by tokens however
/// gradients are.
struct LossSums {
  double loss = 0;
  double tokens = 0;

  double mean() const { return tokens > 0 ? loss / tokens : 0; }
};

/// The sums over all ranks of a group, which read different samples.
LossSums sum_over(const parallel::Group& group, const LossSums& sums);

struct ReplicaOptions {
  model::TransformerConfig model;
  /// In the order of the model.
  std::vector<model::ChunkSpec> chunks;
  optimizer::DataParallelConfig data_parallel;
  optimizer::OptimizerConfig optimizer;
  optimizer::LossNormalization normalization;
  bool check_for_nan_in_loss = true;
};

/// What one rank trains: chunks of the model, the flat buffers of their weights and gradients with their
/// reduction over the ranks, and the optimizer. Driven by the executor over a schedule, with one chunk too.
class Replica {
 public:
  /// Weights are allocated, not initialised. Throws UserError when the model does not fit the mesh.
  Replica(const ReplicaOptions& options, const parallel::Mesh& mesh, const at::Device& device = at::kCPU);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// Draws all weights; see GPTModel::initialize.
  void initialize();

  /// Forward and backward of this rank's micro-batches, as the schedule orders them. Returns the sums over
  /// all ranks when the gradients are those of the global batch (see
  /// DistributedDataParallel::finish_gradients). Throws Error naming iteration and samples when a loss is NaN
  /// or Inf.
  LossSums forward_backward(const StepBatch& batch, const pipeline::Schedule& schedule);
  LossSums forward_backward(const StepBatch& batch);

  /// Forward alone, without dropout; the sums of this rank's micro-batch.
  LossSums evaluate(const MicroBatch& micro_batch) const;

  /// Spreads the weights of which each rank's optimizer has updated, or loaded, its part. A forward pass
  /// waits for those that it uses; whoever else reads weights calls `wait_for_weights` first.
  void gather_weights() { data_parallel_->gather_weights(); }
  void wait_for_weights() { data_parallel_->wait_for_weights(); }

  const model::TransformerConfig& config() const { return options_.model; }
  const optimizer::LossNormalization& normalization() const { return options_.normalization; }
  const parallel::Mesh& mesh() const { return mesh_; }
  const at::Device& device() const { return chunks_.front()->parameters().device(); }
  const std::vector<std::unique_ptr<model::GPTModel>>& chunks() const { return chunks_; }
  optimizer::Optimizer& optimizer() { return *optimizer_; }
  const optimizer::Optimizer& optimizer() const { return *optimizer_; }

  /// All weights under their logical names, and with `with_optimizer` its state: what a checkpoint holds.
  std::vector<parallel::TensorPiece> pieces(bool with_optimizer) const;

 private:
  class Iteration;

  void defer_weight_gradients();

  ReplicaOptions options_;
  parallel::Mesh mesh_;
  std::vector<std::unique_ptr<model::GPTModel>> chunks_;
  std::vector<std::unique_ptr<optimizer::ParamAndGradBuffer>> buffers_;
  std::unique_ptr<optimizer::DistributedDataParallel> data_parallel_;
  std::unique_ptr<optimizer::Optimizer> optimizer_;
  pipeline::DeferredWeightGradients deferred_;
};

}  // namespace primus::train
