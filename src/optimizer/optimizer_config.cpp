#include "optimizer/optimizer_config.h"

#include "config/arguments.h"
#include "core/error.h"

namespace primus::optimizer {

using config::Arguments;

OptimizerConfig optimizer_config_from(const Arguments& arguments) {
  OptimizerConfig config;
  const std::string kind = arguments.get<"optimizer">();
  if (kind != "adam" && kind != "sgd") {
    throw UserError(arguments.where<"optimizer">(),
                    fmt::format("optimizer '{}' is not supported: use adam or sgd", kind));
  }
  config.kind = kind == "adam" ? OptimizerConfig::Kind::adam : OptimizerConfig::Kind::sgd;
  config.adam_beta1 = arguments.get<"adam_beta1">();
  config.adam_beta2 = arguments.get<"adam_beta2">();
  config.adam_eps = arguments.get<"adam_eps">();
  config.sgd_momentum = arguments.get<"sgd_momentum">();
  config.clip_grad = arguments.get<"clip_grad">();
  config.check_for_nan_in_grad = arguments.get<"check_for_nan_in_loss_and_grad">();
  return config;
}

namespace {

/// Lengths of the schedule, in samples.
void set_lengths(SchedulerConfig& config, const Arguments& arguments, std::int64_t batch,
                 std::int64_t train_iters) {
  if (const auto samples = arguments.get<"train_samples">()) {
    config.lr_decay_steps = arguments.get<"lr_decay_samples">().value_or(*samples);
    config.weight_decay_steps = *samples;
    config.wsd_decay_steps = arguments.get<"lr_wsd_decay_samples">();
    config.lr_warmup_steps = static_cast<double>(arguments.get<"lr_warmup_samples">());
  } else {
    config.lr_decay_steps = arguments.get<"lr_decay_iters">().value_or(train_iters) * batch;
    config.weight_decay_steps = train_iters * batch;
    if (const auto iterations = arguments.get<"lr_wsd_decay_iters">())
      config.wsd_decay_steps = *iterations * batch;
    config.lr_warmup_steps = static_cast<double>(arguments.get<"lr_warmup_iters">() * batch);
  }
  if (const auto fraction = arguments.get<"lr_warmup_fraction">()) {
    if (config.lr_warmup_steps > 0) {
      throw UserError(
          arguments.where<"lr_warmup_fraction">(),
          "lr_warmup_fraction and lr_warmup_iters (or _samples) are both set: set one of them to 0 or null");
    }
    config.lr_warmup_steps = *fraction * static_cast<double>(config.lr_decay_steps);
  }
}

void set_weight_decay(SchedulerConfig& config, const Arguments& arguments) {
  config.weight_decay_style = parse_weight_decay_style(arguments.get<"weight_decay_incr_style">());
  const auto start = arguments.get<"start_weight_decay">();
  const auto end = arguments.get<"end_weight_decay">();
  const double constant = arguments.get<"weight_decay">();
  if (config.weight_decay_style != WeightDecayStyle::constant && !(start && end)) {
    throw UserError(
        arguments.where<"weight_decay_incr_style">(),
        "a weight_decay_incr_style other than constant needs start_weight_decay and end_weight_decay");
  }
  config.start_weight_decay = start.value_or(constant);
  config.end_weight_decay = end.value_or(constant);
}

}  // namespace

SchedulerConfig scheduler_config_from(const Arguments& arguments, std::int64_t global_batch_size,
                                      std::int64_t train_iters) {
  SchedulerConfig config;
  config.init_lr = arguments.get<"lr_warmup_init">();
  config.max_lr = arguments.get<"lr">();
  config.min_lr = arguments.get<"min_lr">();
  config.decoupled_lr = arguments.get<"decoupled_lr">();
  if (config.decoupled_lr) config.decoupled_min_lr = arguments.get<"decoupled_min_lr">();
  config.lr_decay_style = parse_decay_style(arguments.get<"lr_decay_style">());
  config.wsd_decay_style = parse_wsd_decay_style(arguments.get<"lr_wsd_decay_style">());
  set_lengths(config, arguments, global_batch_size, train_iters);
  set_weight_decay(config, arguments);
  config.override_checkpoint = arguments.get<"override_opt_param_scheduler">();
  config.use_checkpoint = arguments.get<"use_checkpoint_opt_param_scheduler">();
  // The rules of the other arguments of the schedule are in config/.
  blame(arguments.where<"lr_warmup_iters", "lr_warmup_samples", "lr_warmup_fraction", "lr_decay_iters",
                        "lr_decay_samples", "train_iters", "train_samples", "lr_decay_style">(),
        [&] { check(config); });
  return config;
}

}  // namespace primus::optimizer
