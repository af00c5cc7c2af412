#include "observe/training_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace primus::observe {

namespace {

/// "12.3" as the original has it; below 1, where one digit says little and on a CPU nothing, three digits.
std::string rate_text(double value) {
  if (!(value > 0 && value < 1)) return fmt::format("{:.1f}", value);
  const int decimals = std::min(2 - static_cast<int>(std::floor(std::log10(value))), 12);
  return fmt::format("{:.{}f}", value, decimals);
}

/// The value that is read back from its text with one decimal.
double rounded(double value) { return std::stod(fmt::format("{:.1f}", value)); }

/// A NaN may carry a sign, which means nothing.
std::string scientific(double value) { return std::isnan(value) ? "NAN" : fmt::format("{:.6E}", value); }

bool all_finite(const std::vector<std::pair<std::string, double>>& losses) {
  return std::all_of(losses.begin(), losses.end(),
                     [](const auto& loss) { return std::isfinite(loss.second); });
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string head_segments(const TrainingFacts& facts) {
  std::string text = fmt::format("[{}] iteration {:8d}/{:8d} | consumed samples: {:12d}", facts.time,
                                 facts.iteration, facts.train_iters, facts.consumed_samples);
  if (facts.skipped_samples > 0) text += fmt::format(" | skipped samples: {:12d}", facts.skipped_samples);
  return text;
}

std::string plain_timed_segments(const TrainingFacts& facts) {
  std::string text = fmt::format("elapsed time per iteration (ms): {:.1f}", facts.elapsed_ms);
  if (facts.throughput)
    text += fmt::format(" | throughput per GPU (TFLOP/s/GPU): {}", rate_text(*facts.throughput));
  return text;
}

std::string tail_segments(const TrainingFacts& facts) {
  std::string text = fmt::format("learning rate: {:.6E} | global batch size: {:5d}", facts.learning_rate,
                                 facts.global_batch_size);
  for (const auto& [name, value] : facts.losses) {
    if (value != 0) text += fmt::format(" | {}: {}", name, scientific(value));
  }
  text += fmt::format(" | loss scale: {:.1f}", facts.loss_scale);
  if (facts.grad_norm) text += fmt::format(" | grad norm: {:.3f}", *facts.grad_norm);
  if (facts.num_zeros) text += fmt::format(" | num zeros: {}", *facts.num_zeros);
  if (facts.params_norm) text += fmt::format(" | params norm: {:.3f}", *facts.params_norm);
  text += fmt::format(" | number of skipped iterations: {:3d} | number of nan iterations: {:3d}",
                      facts.skipped_iterations, facts.nan_iterations);
  return text;
}

/// "3m 12s", "2h 5m", "48s".
std::string duration_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::max(0.0, std::round(seconds)));
  if (total >= 3600) return fmt::format("{}h {}m", total / 3600, total % 3600 / 60);
  if (total >= 60) return fmt::format("{}m {}s", total / 60, total % 60);
  return fmt::format("{}s", total);
}

std::string token_rate_text(double rate) {
  if (rate >= 1e6) return fmt::format("{:.2f}M", rate / 1e6);
  if (rate >= 1e4) return fmt::format("{:.1f}k", rate / 1e3);
  return fmt::format("{:.0f}", rate);
}

}  // namespace

std::string megatron_line(const TrainingFacts& facts) {
  return fmt::format(" {} | {} | {} |", head_segments(facts), plain_timed_segments(facts),
                     tail_segments(facts));
}

std::string PrimusLine::format(const TrainingFacts& facts) {
  const bool warm = facts.iteration > options_.log_avg_skip_iterations && facts.throughput;
  return fmt::format("{} | {} | {}", head_segments(facts),
                     warm ? timed_segments(facts) : plain_timed_segments(facts), tail_segments(facts));
}

std::string PrimusLine::timed_segments(const TrainingFacts& facts) {
  const bool full = static_cast<std::int64_t>(elapsed_ms_.size()) >= options_.log_avg_reset_interval;
  if (facts.iteration == options_.log_avg_skip_iterations + 1 || full) {
    elapsed_ms_.clear();
    throughput_.clear();
  }
  const double elapsed = rounded(facts.elapsed_ms);
  elapsed_ms_.push_back(elapsed);
  std::string text =
      fmt::format("elapsed time per iteration (ms): {:.1f}/{:.1f}", elapsed, mean(elapsed_ms_));
  const std::string throughput = rate_text(*facts.throughput);
  throughput_.push_back(std::stod(throughput));
  // The harmonic mean of the rates of equal batches is the rate of the mean time.
  const double tokens =
      static_cast<double>(options_.seq_length * facts.global_batch_size) / options_.world_size;
  text += fmt::format(
      " | compute per GPU (TFLOP/s/GPU): {} (avg {})  | tokens/s/GPU inst/harmonic mean: "
      "{:.1f}/{:.1f}",
      throughput, rate_text(mean(throughput_)), tokens / (elapsed / 1e3), tokens / (mean(elapsed_ms_) / 1e3));
  return text;
}

TrainingLog::TrainingLog(const TrainingLogOptions& options)
    : options_(options), primus_line_(options.average) {}

std::optional<std::string> TrainingLog::add(const IterationFacts& facts, const std::string& time) {
  elapsed_ms_ += facts.elapsed_ms;
  floating_point_operations_ += facts.floating_point_operations;
  skipped_ += facts.skipped ? 1 : 0;
  nan_ += all_finite(facts.losses) ? 0 : 1;
  if (!facts.skipped) {
    ++advanced_;
    for (const auto& [name, value] : facts.losses) {
      const auto found = std::find_if(losses_.begin(), losses_.end(),
                                      [&name = name](const auto& loss) { return loss.first == name; });
      if (found == losses_.end()) {
        losses_.emplace_back(name, value);
      } else {
        found->second += value;
      }
    }
  }
  if (facts.iteration % options_.log_interval != 0 && !first_) return std::nullopt;

  const TrainingFacts line = averaged(facts, time);
  first_ = false;
  advanced_ = skipped_ = nan_ = 0;
  elapsed_ms_ = floating_point_operations_ = 0;
  losses_.clear();
  return options_.primus_form && options_.log_throughput ? primus_line_.format(line) : megatron_line(line);
}

TrainingFacts TrainingLog::averaged(const IterationFacts& facts, const std::string& time) const {
  TrainingFacts line{.time = time,
                     .iteration = facts.iteration,
                     .train_iters = options_.train_iters,
                     .consumed_samples = facts.consumed_samples,
                     .skipped_samples = facts.skipped_samples,
                     .elapsed_ms = elapsed_ms_ / static_cast<double>(advanced_ + skipped_),
                     .learning_rate = facts.learning_rate,
                     .global_batch_size = facts.global_batch_size,
                     .losses = losses_,
                     .loss_scale = facts.loss_scale,
                     .grad_norm = facts.grad_norm,
                     .num_zeros = facts.num_zeros,
                     .params_norm = facts.params_norm,
                     .skipped_iterations = skipped_,
                     .nan_iterations = nan_};
  for (auto& [name, value] : line.losses) value /= static_cast<double>(std::max<std::int64_t>(advanced_, 1));
  if (options_.log_throughput && floating_point_operations_ > 0) {
    line.throughput = floating_point_operations_ / (elapsed_ms_ / 1e3 * 1e12 * options_.average.world_size);
  }
  return line;
}

std::vector<std::string> evaluation_lines(const std::string& where,
                                          const std::vector<std::pair<std::string, double>>& losses) {
  std::string line = fmt::format(" validation loss at {} | ", where);
  for (const auto& [name, value] : losses) {
    // std::min(value, 20.0) is NaN for a NaN, and Megatron's min(20, value) is not.
    line += fmt::format("{} value: {} | {} PPL: {} | ", name, scientific(value), name,
                        scientific(std::exp(std::min(value, 20.0))));
  }
  const std::string ruler(line.size() + 1, '-');
  return {ruler, line, ruler};
}

std::string now_text() {
  using std::chrono::system_clock;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:06d}", local, micros);
}

std::string progress_line(const Progress& progress) {
  const double percent = 100.0 * static_cast<double>(progress.iteration) /
                         static_cast<double>(std::max<std::int64_t>(progress.train_iters, 1));
  return fmt::format("iteration {}/{} ({:.0f}%) | loss {:.4g} | {} tokens/s | {} left", progress.iteration,
                     progress.train_iters, percent, progress.loss,
                     token_rate_text(progress.tokens_per_second), duration_text(progress.seconds_left));
}

}  // namespace primus::observe
