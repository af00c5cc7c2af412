#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/log.h"
#include "model/transformer_config.h"
#include "parallel/mesh.h"
#include "train/recorder.h"

namespace primus::config {
struct Experiment;
}

namespace primus::train {

/// How a run ended.
struct TrainResult {
  std::int64_t iteration = 0;
  /// The last validation loss, nats per token, if there was an evaluation.
  std::optional<double> validation_loss;
  /// How many iterations had a loss that is no finite number: with the check for it off, that ends nothing.
  std::int64_t non_finite_losses = 0;
  /// Where checkpoints are; empty when saving is off.
  std::string checkpoints;
};

/// How much one iteration computes.
struct StepSize {
  model::TransformerConfig model;
  std::int64_t micro_batch_size = 0;
  std::int64_t seq_length = 0;
  /// Of the global batch.
  std::int64_t tokens = 0;
  double floating_point_operations = 0;
};

/// A pre-training run: Megatron's train loop.
///
/// The constructor checks the whole input (arguments, data, checkpoint) and writes nothing to disk, so a run
/// with bad input leaves no trace; `run` creates the run directory and trains.
class Trainer {
 public:
  /// `logger` and `experiment` must outlive the trainer. Throws UserError for bad input.
  Trainer(const config::Experiment& experiment, const parallel::Mesh& mesh, Logger& logger);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains to the last iteration, or until a signal or a limit ends the run early; then a checkpoint has
  /// been saved, unless saving is off.
  TrainResult run();

  /// The iteration that `run` repeats, once, without a log or a run directory: what `benchmark step`
  /// measures. The data must hold a sample for it.
  IterationRecord train_step();
  StepSize step_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace primus::train
