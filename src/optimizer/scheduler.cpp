#include "optimizer/scheduler.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace primus::optimizer {

namespace {

template <typename Style, std::size_t count>
using StyleNames = std::array<std::pair<std::string_view, Style>, count>;

constexpr StyleNames<DecayStyle, 5> decay_styles = {{
    {"constant", DecayStyle::constant},
    {"linear", DecayStyle::linear},
    {"cosine", DecayStyle::cosine},
    {"inverse-square-root", DecayStyle::inverse_square_root},
    {"WSD", DecayStyle::wsd},
}};
constexpr StyleNames<WsdDecayStyle, 4> wsd_decay_styles = {{
    {"linear", WsdDecayStyle::linear},
    {"cosine", WsdDecayStyle::cosine},
    {"exponential", WsdDecayStyle::exponential},
    {"minus_sqrt", WsdDecayStyle::minus_sqrt},
}};
constexpr StyleNames<WeightDecayStyle, 3> weight_decay_styles = {{
    {"constant", WeightDecayStyle::constant},
    {"linear", WeightDecayStyle::linear},
    {"cosine", WeightDecayStyle::cosine},
}};

template <typename Names>
auto parse_style(const Names& names, const char* argument, const std::string& text) {
  std::vector<std::string_view> known;
  for (const auto& [name, style] : names) {
    if (name == text) return style;
    known.push_back(name);
  }
  throw_user_error("{}: '{}' is not one of {}", argument, text, fmt::join(known, ", "));
}

template <typename Names, typename Style>
std::string style_name(const Names& names, Style style) {
  return std::string(std::find_if(names.begin(), names.end(), [&](const auto& known) {
                       return known.second == style;
                     })->first);
}

double half_cosine(double ratio) { return 0.5 * (std::cos(std::numbers::pi * ratio) + 1.0); }

void require(bool condition, const std::string& message) {
  if (!condition) throw UserError(message);
}

}  // namespace

void check(const SchedulerConfig& c) {
  require(c.min_lr >= 0, fmt::format("min_lr must not be negative (it is {})", c.min_lr));
  require(c.max_lr >= c.min_lr, fmt::format("lr ({}) must not be below min_lr ({})", c.max_lr, c.min_lr));
  require(c.init_lr <= c.max_lr,
          fmt::format("lr_warmup_init ({}) must not be above lr ({})", c.init_lr, c.max_lr));
  require(c.decoupled_lr.value_or(c.max_lr) >= c.decoupled_min_lr.value_or(c.min_lr),
          "decoupled_lr must not be below decoupled_min_lr (min_lr when that is not set)");
  require(c.lr_decay_steps > 0,
          fmt::format("the learning rate must decay over at least one sample (lr_decay_iters or "
                      "lr_decay_samples gives {})",
                      c.lr_decay_steps));
  require(c.lr_warmup_steps < static_cast<double>(c.lr_decay_steps),
          fmt::format("the warm-up ({} samples) must be shorter than the decay ({} samples): lower "
                      "lr_warmup_iters or raise lr_decay_iters",
                      c.lr_warmup_steps, c.lr_decay_steps));
  require(c.lr_decay_style != DecayStyle::wsd || c.wsd_decay_steps.has_value(),
          "lr_decay_style WSD needs lr_wsd_decay_iters or lr_wsd_decay_samples");
  require(c.start_weight_decay >= 0 && c.end_weight_decay >= c.start_weight_decay,
          fmt::format("start_weight_decay ({}) must not be negative nor above end_weight_decay ({})",
                      c.start_weight_decay, c.end_weight_decay));
  require(c.weight_decay_style != WeightDecayStyle::constant || c.start_weight_decay == c.end_weight_decay,
          fmt::format("weight_decay_incr_style constant contradicts start_weight_decay {} and "
                      "end_weight_decay {}",
                      c.start_weight_decay, c.end_weight_decay));
  require(!(c.override_checkpoint && c.use_checkpoint),
          "override_opt_param_scheduler and use_checkpoint_opt_param_scheduler exclude each other");
}

DecayStyle parse_decay_style(const std::string& text) {
  return parse_style(decay_styles, "lr_decay_style", text);
}

WsdDecayStyle parse_wsd_decay_style(const std::string& text) {
  return parse_style(wsd_decay_styles, "lr_wsd_decay_style", text);
}

WeightDecayStyle parse_weight_decay_style(const std::string& text) {
  return parse_style(weight_decay_styles, "weight_decay_incr_style", text);
}

OptimizerParamScheduler::OptimizerParamScheduler(const SchedulerConfig& config) : config_(config) {
  check(config_);
}

double OptimizerParamScheduler::decoupled_learning_rate() const {
  return learning_rate(config_.decoupled_lr.value_or(config_.max_lr),
                       config_.decoupled_min_lr.value_or(config_.min_lr));
}

double OptimizerParamScheduler::learning_rate(double max_lr, double min_lr) const {
  const auto steps = static_cast<double>(num_steps_);
  const double warmup = config_.lr_warmup_steps;
  if (warmup > 0 && steps <= warmup) return config_.init_lr + (max_lr - config_.init_lr) * steps / warmup;
  if (config_.lr_decay_style == DecayStyle::constant) return max_lr;
  if (num_steps_ > config_.lr_decay_steps) return min_lr;
  if (config_.lr_decay_style == DecayStyle::inverse_square_root)
    return std::max(min_lr, max_lr * std::sqrt(std::max(warmup, 1.0)) / std::sqrt(std::max(steps, 1.0)));
  return min_lr + decay_coefficient() * (max_lr - min_lr);
}

double OptimizerParamScheduler::decay_coefficient() const {
  const auto steps = static_cast<double>(num_steps_);
  const double ratio = (steps - config_.lr_warmup_steps) /
                       (static_cast<double>(config_.lr_decay_steps) - config_.lr_warmup_steps);
  if (config_.lr_decay_style == DecayStyle::linear) return 1.0 - ratio;
  if (config_.lr_decay_style == DecayStyle::cosine) return half_cosine(ratio);

  const std::int64_t anneal_start = config_.lr_decay_steps - *config_.wsd_decay_steps;
  if (num_steps_ <= anneal_start) return 1.0;
  const double wsd_ratio =
      static_cast<double>(num_steps_ - anneal_start) / static_cast<double>(*config_.wsd_decay_steps);
  switch (config_.wsd_decay_style) {
    case WsdDecayStyle::linear: return 1.0 - wsd_ratio;
    case WsdDecayStyle::cosine: return half_cosine(wsd_ratio);
    case WsdDecayStyle::exponential: return 2.0 * std::pow(0.5, wsd_ratio) - 1.0;
    case WsdDecayStyle::minus_sqrt: return 1.0 - std::sqrt(wsd_ratio);
  }
  throw Error("unknown WSD decay style");
}

double OptimizerParamScheduler::weight_decay() const {
  const double start = config_.start_weight_decay;
  const double end = config_.end_weight_decay;
  if (num_steps_ > config_.weight_decay_steps || config_.weight_decay_style == WeightDecayStyle::constant)
    return end;
  const double ratio = static_cast<double>(num_steps_) / static_cast<double>(config_.weight_decay_steps);
  const double coefficient =
      config_.weight_decay_style == WeightDecayStyle::linear ? ratio : half_cosine(1.0 - ratio);
  return start + coefficient * (end - start);
}

nlohmann::json OptimizerParamScheduler::state() const {
  return {{"max_lr", config_.max_lr},
          {"min_lr", config_.min_lr},
          {"lr_warmup_steps", config_.lr_warmup_steps},
          {"lr_decay_steps", config_.lr_decay_steps},
          {"lr_decay_style", style_name(decay_styles, config_.lr_decay_style)},
          {"num_steps", num_steps_},
          {"start_wd", config_.start_weight_decay},
          {"end_wd", config_.end_weight_decay},
          {"wd_incr_steps", config_.weight_decay_steps},
          {"wd_incr_style", style_name(weight_decay_styles, config_.weight_decay_style)}};
}

namespace {

/// What a user knows a key of the checkpoint by.
struct KeyWords {
  std::string_view key;
  std::string_view arguments;
  /// For a length in samples.
  std::string_view length = {};
};

constexpr KeyWords key_words[] = {
    {"max_lr", "lr"},
    {"min_lr", "min_lr"},
    {"lr_decay_style", "lr_decay_style"},
    {"lr_decay_steps", "lr_decay_iters or lr_decay_samples, else train_iters or train_samples",
     "the learning rate's decay"},
    {"lr_warmup_steps", "lr_warmup_iters, lr_warmup_samples or lr_warmup_fraction",
     "the learning rate's warm-up"},
    {"weight_decay", "weight_decay"},
    {"start_wd", "start_weight_decay"},
    {"end_wd", "end_weight_decay"},
    {"wd_incr_steps", "train_iters or train_samples", "the growth of the weight decay"},
    {"wd_incr_style", "weight_decay_incr_style"}};

const KeyWords& words_of(const ScheduleChange& change) {
  return *std::ranges::find(key_words, change.key, &KeyWords::key);
}

}  // namespace

std::string length_text(const ScheduleChange& change) {
  const std::string_view length = words_of(change).length;
  if (length.empty()) return "";
  return fmt::format("{} was {} samples, is {} samples", length, change.was.get<double>(),
                     change.is.get<double>());
}

std::string to_string(const ScheduleChange& change) {
  const std::string_view arguments = words_of(change).arguments;
  if (const std::string length = length_text(change); !length.empty())
    return fmt::format("{} ({})", length, arguments);
  return fmt::format("{} was {}, is {}", arguments, change.was.dump(), change.is.dump());
}

std::vector<ScheduleChange> OptimizerParamScheduler::differences(const nlohmann::json& state) const {
  const nlohmann::json ours = this->state();
  std::vector<ScheduleChange> result;
  const auto is_constant = [](const nlohmann::json& schedule) {
    return schedule.at("start_wd") == schedule.at("end_wd");
  };
  const bool one_weight_decay = is_constant(state) && is_constant(ours);
  for (const auto& [key, value] : ours.items()) {
    // A constant weight decay takes no steps.
    const bool idle = key == "wd_incr_steps" && (config_.weight_decay_style == WeightDecayStyle::constant ||
                                                 state.at("wd_incr_style") == "constant");
    if (key == "num_steps" || idle || state.at(key) == value) continue;
    if (one_weight_decay && key == "start_wd") continue;
    result.push_back({one_weight_decay && key == "end_wd" ? "weight_decay" : key, state.at(key), value});
  }
  return result;
}

void OptimizerParamScheduler::load(const nlohmann::json& state) {
  if (!config_.override_checkpoint && !config_.use_checkpoint) {
    std::vector<std::string> changes;
    for (const ScheduleChange& change : differences(state)) changes.push_back(to_string(change));
    require(changes.empty(),
            fmt::format("the schedule differs from the checkpoint's: {}. Set override_opt_param_scheduler to "
                        "continue with this run's values, or use_checkpoint_opt_param_scheduler with the "
                        "checkpoint's",
                        fmt::join(changes, "; ")));
  }
  if (!config_.override_checkpoint) {
    config_.max_lr = state.at("max_lr");
    config_.min_lr = state.at("min_lr");
    config_.lr_warmup_steps = state.at("lr_warmup_steps");
    config_.lr_decay_steps = state.at("lr_decay_steps");
    config_.lr_decay_style = parse_decay_style(state.at("lr_decay_style"));
    config_.start_weight_decay = state.at("start_wd");
    config_.end_weight_decay = state.at("end_wd");
    config_.weight_decay_steps = state.at("wd_incr_steps");
    config_.weight_decay_style = parse_weight_decay_style(state.at("wd_incr_style"));
    check(config_);
  }
  num_steps_ = state.at("num_steps");
}

}  // namespace primus::optimizer
