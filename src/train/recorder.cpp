#include "train/recorder.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace primus::train {

namespace {

/// Calls, bytes and seconds of each kind of collective that was used.
nlohmann::ordered_json json_of(const parallel::TrafficAccount& account) {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const parallel::Collective kind : parallel::all_collectives) {
    const parallel::TrafficTotals& totals = account[static_cast<std::size_t>(kind)];
    if (totals.calls == 0) continue;
    result[std::string(to_string(kind))] = {
        {"calls", totals.calls}, {"bytes", totals.bytes}, {"seconds", totals.seconds}};
  }
  return result;
}

}  // namespace

Recorder::Recorder(const observe::TrainingLogOptions& options, const RunDirectory& directory,
                   std::int64_t last_kept, int rank, Logger& logger)
    : options_(options),
      logger_(logger),
      is_last_rank_(rank == options.average.world_size - 1),
      training_log_(options) {
  if (rank == 0) metrics_.emplace(directory.metrics(), last_kept);
}

double Recorder::tokens_per_second(const IterationRecord& record) const {
  return static_cast<double>(options_.average.seq_length * record.global_batch_size) / record.seconds;
}

void Recorder::iteration(const IterationRecord& record) {
  watch_loss(record);
  if (metrics_) add_metrics(record);
  observe::IterationFacts facts{.iteration = record.iteration,
                                .consumed_samples = record.consumed_samples,
                                .skipped_samples = record.skipped_samples,
                                .elapsed_ms = record.seconds * 1e3,
                                .floating_point_operations = record.floating_point_operations,
                                .learning_rate = record.learning_rate,
                                .global_batch_size = record.global_batch_size,
                                .grad_norm = record.grad_norm,
                                .num_zeros = record.num_zeros,
                                .params_norm = record.params_norm,
                                .skipped = record.skipped()};
  if (record.lm_loss) facts.losses = {{"lm loss", *record.lm_loss}};
  const auto line = training_log_.add(facts, observe::now_text());
  if (line && is_last_rank_) logger_.info(*line);
  if (metrics_ && !record.skipped()) show_progress(record);
}

/// The first loss that is no finite number is said, since the check that would end the run is off.
void Recorder::watch_loss(const IterationRecord& record) {
  if (!record.lm_loss || std::isfinite(*record.lm_loss)) return;
  if (++non_finite_losses_ > 1 || !metrics_) return;
  logger_.warning(
      fmt::format("the loss of iteration {} is {}; training continues, since "
                  "check_for_nan_in_loss_and_grad is false",
                  record.iteration, *record.lm_loss));
}

void Recorder::finish() {
  logger_.set_progress_line("");
  if (non_finite_losses_ == 0 || !metrics_) return;
  logger_.warning(
      fmt::format("the loss was NaN or infinite in {} of this run's iterations", non_finite_losses_));
}

void Recorder::add_metrics(const IterationRecord& record) {
  nlohmann::ordered_json line = {{"iteration", record.iteration},
                                 {"consumed_samples", record.consumed_samples}};
  if (record.lm_loss) line["lm_loss"] = *record.lm_loss;
  if (record.grad_norm) line["grad_norm"] = *record.grad_norm;
  line["learning_rate"] = record.learning_rate;
  line["step_ms"] = record.seconds * 1e3;
  if (record.skipped()) {
    line["skipped"] = true;
  } else {
    line["tokens_per_second"] = tokens_per_second(record);
    line["tflops"] = record.floating_point_operations / record.seconds / 1e12;
  }
  line["peak_memory_bytes"] = observe::peak_resident_bytes();
  if (record.params_norm) line["params_norm"] = *record.params_norm;
  if (record.num_zeros) line["num_zeros"] = *record.num_zeros;
  if (const auto traffic = json_of(record.traffic); !traffic.empty()) line["communication"] = traffic;
  metrics_->add(line);
}

void Recorder::show_progress(const IterationRecord& record) {
  constexpr double weight_of_last = 0.1;
  seconds_per_iteration_ = seconds_per_iteration_ == 0 ? record.seconds
                                                       : (1 - weight_of_last) * seconds_per_iteration_ +
                                                             weight_of_last * record.seconds;
  const auto left = static_cast<double>(options_.train_iters - record.iteration);
  logger_.set_progress_line(observe::progress_line({.iteration = record.iteration,
                                                    .train_iters = options_.train_iters,
                                                    .loss = *record.lm_loss,
                                                    .tokens_per_second = tokens_per_second(record),
                                                    .seconds_left = left * seconds_per_iteration_}));
}

void Recorder::evaluation(std::int64_t iteration, const std::string& split, const std::string& where,
                          double loss, double tokens) {
  if (metrics_) {
    metrics_->add({{"iteration", iteration}, {"evaluation", split}, {"lm_loss", loss}, {"tokens", tokens}});
  }
  if (!is_last_rank_) return;
  for (const std::string& line : observe::evaluation_lines(where, {{"lm loss", loss}})) logger_.info(line);
}

}  // namespace primus::train
