#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "optimizer/param_and_grad_buffer.h"
#include "optimizer/update.h"
#include "parallel/mesh.h"
#include "parallel/tensor_piece.h"

namespace primus::optimizer {

struct OptimizerConfig {
  enum class Kind { adam, sgd };
  Kind kind = Kind::adam;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_eps = 1e-8;
  bool decoupled_weight_decay = true;
  double sgd_momentum = 0.9;
  /// Gradients are scaled down to at most this global L2 norm; 0: not clipped.
  double clip_grad = 1.0;
  bool check_for_nan_in_grad = true;
};

/// What changes from step to step.
struct StepInputs {
  double learning_rate = 0;
  /// For the word embeddings and the output layer (decoupled_lr); as `learning_rate` when negative.
  double decoupled_learning_rate = -1;
  double weight_decay = 0;
  /// Multiplies all gradients, e.g. 1 / tokens for a per-token loss.
  double gradient_scale = 1;
  /// For messages.
  std::int64_t iteration = 0;
};

/// Megatron's mixed-precision optimizer: the model computes with its weights (bf16), and the optimizer
/// updates fp32 main weights from fp32 gradients and rounds. A main weight is kept as the bf16 weight and a
/// remainder of 16 bits (kernels/main_weight.h), so whoever writes weights by hand calls
/// `reload_main_weights`. With fp32 weights the main weights are the weights themselves.
///
///     ParamAndGradBuffer buffer(parameters, {});
///     Optimizer optimizer({&buffer}, config, mesh);
///     ... every iteration:
///     buffer.zero_gradients();
///     ... forward and backward of all micro-batches, reduction ...
///     const double norm = optimizer.step({.learning_rate = scheduler.learning_rate(), ...});
///
/// The result does not depend, bit for bit, on the number of threads.
class Optimizer {
 public:
  /// Holds state for the part of the buffers' buckets that this rank owns. The buffers must outlive the
  /// optimizer.
  Optimizer(std::vector<ParamAndGradBuffer*> buffers, const OptimizerConfig& config,
            const parallel::Mesh& mesh);
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  ~Optimizer();

  /// Updates the weights from the accumulated gradients and returns the gradients' global L2 norm after
  /// `gradient_scale`, before clipping. Throws Error that names parameter and iteration when a gradient is
  /// NaN or Inf and `check_for_nan_in_grad` is set; then nothing has changed.
  double step(const StepInputs& inputs);

  /// L2 norm of all main weights, and the number of gradients that are exactly 0: each parameter once.
  double params_norm() const;
  std::int64_t num_zeros_in_grad() const;

  const OptimizerConfig& config() const { return config_; }

  /// Main weights (unless they are the weights themselves) and moments, all fp32, under Megatron's names such
  /// as "optimizer.state.exp_avg.decoder.layers.0.mlp.linear_fc1.weight". Loading writes into them; loading
  /// main weights writes the weights, too.
  std::vector<parallel::TensorPiece> state_pieces() const;
  /// Steps taken so far; part of the state, because Adam's bias corrections need it.
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  /// Takes the weights as main weights, whose remainders become 0: after weights were initialised, or loaded
  /// without optimizer state.
  void reload_main_weights();

 private:
  /// The part of one bucket that this rank owns, in the buffer's elements, with its state.
  struct Partition;
  /// A run of one parameter's elements in one partition: the unit of work, and of summation.
  struct Block;

  void make_partitions(ParamAndGradBuffer& buffer);
  void make_blocks(std::size_t partition);
  std::vector<parallel::TensorPiece> pieces_of(const Partition& partition, const BufferSlot& slot,
                                               const char* kind, const at::Tensor& state) const;
  std::vector<double> block_sums(bool of_gradients) const;
  double sum_of_primary(const std::vector<double>& sums) const;
  void check_finite(const std::vector<double>& sums, std::int64_t iteration) const;
  void update_block(const Block& block, const StepInputs& inputs, double gradient_scale);

  OptimizerConfig config_;
  parallel::Mesh mesh_;
  std::vector<ParamAndGradBuffer*> buffers_;
  std::vector<Partition> partitions_;
  std::vector<Block> blocks_;
  std::int64_t steps_ = 0;
};

}  // namespace primus::optimizer
