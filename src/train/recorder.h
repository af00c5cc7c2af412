#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/log.h"
#include "observe/metrics_file.h"
#include "observe/training_log.h"
#include "parallel/traffic.h"
#include "train/run_directory.h"

namespace primus::train {

/// What is known of an iteration once it is over.
struct IterationRecord {
  std::int64_t iteration = 0;
  std::int64_t consumed_samples = 0;
  std::int64_t skipped_samples = 0;
  std::int64_t global_batch_size = 0;
  /// Nats per token. Like the norm, nothing when the batch was passed over (`iterations_to_skip`).
  std::optional<double> lm_loss;
  std::optional<double> grad_norm;
  double learning_rate = 0;
  double seconds = 0;
  /// Of the whole iteration over all ranks.
  double floating_point_operations = 0;
  std::optional<double> params_norm;
  std::optional<std::int64_t> num_zeros;
  /// What this rank communicated since the last iteration.
  parallel::TrafficAccount traffic = {};

  bool skipped() const { return !lm_loss; }
};

/// Tells everyone who watches a run: the training line in the log, metrics.jsonl, the progress line of a
/// terminal.
class Recorder {
 public:
  /// `last_kept`: the last iteration of an earlier run whose metrics stay. Rank 0 writes to the run
  /// directory, and the last rank logs the training line, as the original does.
  Recorder(const observe::TrainingLogOptions& options, const RunDirectory& directory, std::int64_t last_kept,
           int rank, Logger& logger);

  void iteration(const IterationRecord& record);
  /// `split` is "valid" or "test"; `where` the words of the log line, e.g. "iteration 100".
  void evaluation(std::int64_t iteration, const std::string& split, const std::string& where, double loss,
                  double tokens);
  /// The iterations so far whose loss was NaN or infinite.
  std::int64_t non_finite_losses() const { return non_finite_losses_; }
  /// Takes the progress line away, and says how many losses were NaN or infinite.
  void finish();

 private:
  void add_metrics(const IterationRecord& record);
  void watch_loss(const IterationRecord& record);
  void show_progress(const IterationRecord& record);
  double tokens_per_second(const IterationRecord& record) const;

  observe::TrainingLogOptions options_;
  Logger& logger_;
  bool is_last_rank_;
  observe::TrainingLog training_log_;
  std::optional<observe::MetricsFile> metrics_;
  /// Smoothed, for the time left.
  double seconds_per_iteration_ = 0;
  std::int64_t non_finite_losses_ = 0;
};

}  // namespace primus::train
