#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace primus::optimizer {

enum class DecayStyle { constant, linear, cosine, inverse_square_root, wsd };
/// How the learning rate falls in the last part of a warm-up/stable/decay (WSD) schedule.
enum class WsdDecayStyle { linear, cosine, exponential, minus_sqrt };
enum class WeightDecayStyle { constant, linear, cosine };

/// From the arguments' spellings, e.g. "inverse-square-root" or "WSD". Throws UserError that lists the
/// choices.
DecayStyle parse_decay_style(const std::string& text);
WsdDecayStyle parse_wsd_decay_style(const std::string& text);
WeightDecayStyle parse_weight_decay_style(const std::string& text);

/// "Steps" are samples, as in Megatron.
struct SchedulerConfig {
  double init_lr = 0;
  double max_lr = 0;
  double min_lr = 0;
  /// May be a fraction of a sample: lr_warmup_fraction · lr_decay_steps.
  double lr_warmup_steps = 0;
  std::int64_t lr_decay_steps = 1;
  DecayStyle lr_decay_style = DecayStyle::linear;
  /// Length of the decay at the end of a WSD schedule; needed for that style only.
  std::optional<std::int64_t> wsd_decay_steps = {};
  WsdDecayStyle wsd_decay_style = WsdDecayStyle::exponential;

  /// The range of the embedding and the output layer, when it is another.
  std::optional<double> decoupled_lr = {};
  std::optional<double> decoupled_min_lr = {};

  double start_weight_decay = 0.01;
  double end_weight_decay = 0.01;
  std::int64_t weight_decay_steps = 1;
  WeightDecayStyle weight_decay_style = WeightDecayStyle::constant;

  /// At resume: this run's values win (override), or the checkpoint's do, or, by default, both must agree.
  bool override_checkpoint = false;
  bool use_checkpoint = false;
};

/// A value of the schedule that is not the checkpoint's.
struct ScheduleChange {
  /// Megatron's key in the checkpoint, or "weight_decay" for a constant one, which has two.
  std::string key;
  nlohmann::json was;
  nlohmann::json is;
};

/// With the arguments that set the value, e.g. "lr was 0.003, is 0.001".
std::string to_string(const ScheduleChange& change);
/// For a length in samples, which follows from several arguments: "the learning rate's decay was 32 samples,
/// is 40 samples". Empty for the others.
std::string length_text(const ScheduleChange& change);

/// Throws UserError that names the arguments at fault.
void check(const SchedulerConfig& config);

/// Learning rate and weight decay as functions of the samples seen: Megatron's OptimizerParamScheduler. The
/// first iteration runs with the rate of 0 samples (`init_lr` when there is a warm-up).
///
///     OptimizerParamScheduler scheduler(config);
///     optimizer.step({.learning_rate = scheduler.learning_rate(),
///                     .decoupled_learning_rate = scheduler.decoupled_learning_rate(),
///                     .weight_decay = scheduler.weight_decay()});
///     scheduler.step(global_batch_size);  // after a successful optimizer step only
class OptimizerParamScheduler {
 public:
  /// Throws UserError that names the arguments at fault.
  explicit OptimizerParamScheduler(const SchedulerConfig& config);

  void step(std::int64_t increment) { num_steps_ += increment; }
  std::int64_t num_steps() const { return num_steps_; }
  const SchedulerConfig& config() const { return config_; }

  double learning_rate() const { return learning_rate(config_.max_lr, config_.min_lr); }
  /// Of the embedding and the output layer.
  double decoupled_learning_rate() const;
  double weight_decay() const;

  /// What a checkpoint holds, under Megatron's keys.
  nlohmann::json state() const;
  /// In what a checkpoint's schedule differs from this run's.
  std::vector<ScheduleChange> differences(const nlohmann::json& state) const;
  /// Continues at a checkpoint's position. Throws UserError when its schedule differs and neither
  /// `override_checkpoint` nor `use_checkpoint` is set.
  void load(const nlohmann::json& state);

 private:
  double learning_rate(double max_lr, double min_lr) const;
  double decay_coefficient() const;

  SchedulerConfig config_;
  std::int64_t num_steps_ = 0;
};

}  // namespace primus::optimizer
