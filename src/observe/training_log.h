#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace primus::observe {

/// What one training line says. Losses in the order in which they are printed.
struct TrainingFacts {
  /// "YYYY-MM-DD HH:MM:SS.ffffff".
  std::string time;
  std::int64_t iteration = 0;
  std::int64_t train_iters = 0;
  std::int64_t consumed_samples = 0;
  std::int64_t skipped_samples = 0;
  double elapsed_ms = 0;
  /// TFLOP/s per device; nothing unless log_throughput, and where nothing was computed.
  std::optional<double> throughput;
  double learning_rate = 0;
  std::int64_t global_batch_size = 0;
  std::vector<std::pair<std::string, double>> losses;
  double loss_scale = 1;
  std::optional<double> grad_norm;
  std::optional<std::int64_t> num_zeros;
  std::optional<double> params_norm;
  std::int64_t skipped_iterations = 0;
  std::int64_t nan_iterations = 0;
};

/// Megatron's training line, from its leading blank to its closing bar.
std::string megatron_line(const TrainingFacts& facts);

struct AverageOptions {
  /// The first iterations are not averaged: they warm up.
  std::int64_t log_avg_skip_iterations = 2;
  /// The averages start anew after so many lines.
  std::int64_t log_avg_reset_interval = 50;
  std::int64_t seq_length = 0;
  int world_size = 1;
};

/// Primus' form of the line: each time, throughput and token rate beside its average over a window of lines.
class PrimusLine {
 public:
  explicit PrimusLine(const AverageOptions& options) : options_(options) {}
  /// Call once per printed line, in order.
  std::string format(const TrainingFacts& facts);

 private:
  std::string timed_segments(const TrainingFacts& facts);

  AverageOptions options_;
  /// Of the window, as rounded in the text: that is what the original averages.
  std::vector<double> elapsed_ms_;
  std::vector<double> throughput_;
};

/// What one iteration adds to the line.
struct IterationFacts {
  std::int64_t iteration = 0;
  std::int64_t consumed_samples = 0;
  std::int64_t skipped_samples = 0;
  double elapsed_ms = 0;
  /// Of the whole iteration, over all ranks; for the throughput.
  double floating_point_operations = 0;
  double learning_rate = 0;
  std::int64_t global_batch_size = 0;
  std::vector<std::pair<std::string, double>> losses;
  double loss_scale = 1;
  std::optional<double> grad_norm;
  std::optional<std::int64_t> num_zeros;
  std::optional<double> params_norm;
  /// The optimizer did not step.
  bool skipped = false;
};

struct TrainingLogOptions {
  std::int64_t log_interval = 1;
  std::int64_t train_iters = 0;
  bool log_throughput = false;
  /// Primus' form instead of Megatron's; it needs log_throughput, as in the original.
  bool primus_form = true;
  AverageOptions average;
};

/// Gathers iterations and gives the line when one is due: every `log_interval` iterations and after the first
/// of this process. Losses, times and throughput are averages since the last line, skipped iterations
/// excluded from the losses. An iteration with a loss that is NaN or infinite is a NaN iteration; Megatron
/// counts it only when the optimizer skipped it, which fp32 and bf16 never do.
///
///     TrainingLog log({.log_interval = 10, .train_iters = 1000, ...});
///     if (auto line = log.add({.iteration = i, ...}, now_text())) logger.info(*line);
class TrainingLog {
 public:
  explicit TrainingLog(const TrainingLogOptions& options);
  std::optional<std::string> add(const IterationFacts& facts, const std::string& time);

 private:
  TrainingFacts averaged(const IterationFacts& facts, const std::string& time) const;

  TrainingLogOptions options_;
  PrimusLine primus_line_;
  bool first_ = true;
  std::int64_t advanced_ = 0;
  std::int64_t skipped_ = 0;
  std::int64_t nan_ = 0;
  double elapsed_ms_ = 0;
  double floating_point_operations_ = 0;
  std::vector<std::pair<std::string, double>> losses_;
};

/// Megatron's line after an evaluation at `where` ("iteration 100"), between rulers of its length + 1. The
/// perplexity is exp(min(20, loss)).
std::vector<std::string> evaluation_lines(const std::string& where,
                                          const std::vector<std::pair<std::string, double>>& losses);

/// The local time as the training line prints it.
std::string now_text();

struct Progress {
  std::int64_t iteration = 0;
  std::int64_t train_iters = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double seconds_left = 0;
};

/// A line for a terminal, e.g. "iteration 120/2000 (6%) | loss 3.214 | 41.2k tokens/s | 3m 12s left".
std::string progress_line(const Progress& progress);

}  // namespace primus::observe
