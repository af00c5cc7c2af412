#include "train/schedule_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/arguments.h"
#include "config/print.h"

namespace primus::train {

using nlohmann::json;

namespace {

using Names = std::vector<std::string>;

constexpr const char* schedule_arguments[] = {"lr",
                                              "min_lr",
                                              "lr_decay_style",
                                              "lr_decay_iters",
                                              "lr_decay_samples",
                                              "lr_warmup_iters",
                                              "lr_warmup_samples",
                                              "lr_warmup_fraction",
                                              "weight_decay",
                                              "start_weight_decay",
                                              "end_weight_decay",
                                              "weight_decay_incr_style",
                                              "train_iters",
                                              "train_samples"};

static_assert(std::ranges::all_of(schedule_arguments, [](const char* name) {
  return config::find_argument(name) < config::argument_count;
}));

/// The arguments that decide a value of the schedule of a run, the nearest first.
Names deciding(const std::string& key, const json& run) {
  const auto is_set = [&run](const char* name) { return run.contains(name) && !run[name].is_null(); };
  const auto joined = [](Names first, const Names& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  };
  const Names batch = {"global_batch_size"}, length = {"train_iters", "train_samples", "global_batch_size"};
  const bool own_decay = is_set("lr_decay_iters") || is_set("lr_decay_samples");
  const Names decay = joined({"lr_decay_iters", "lr_decay_samples"}, own_decay ? batch : length);
  if (key == "lr_decay_steps") return decay;
  if (key == "lr_warmup_steps")
    return joined({"lr_warmup_fraction", "lr_warmup_iters", "lr_warmup_samples"},
                  is_set("lr_warmup_fraction") ? decay : batch);
  if (key == "wd_incr_steps") return length;
  if (key == "wd_incr_style") return {"weight_decay_incr_style"};
  if (key == "start_wd") return {"start_weight_decay", "weight_decay"};
  if (key == "end_wd") return {"end_weight_decay", "weight_decay"};
  return {key == "max_lr" ? "lr" : key};
}

}  // namespace

json identity_value(const config::Value& value) {
  return json::parse(config::to_json(value, config::JsonStyle::one_line));
}

void add_schedule_arguments(const config::Arguments& arguments, json& identity) {
  for (const char* name : schedule_arguments)
    identity[name] = identity_value(arguments.set_at(config::find_argument(name)));
}

ScheduleExplanation explain(const ScheduleChanges& schedule, const json& saved, const json& now) {
  const std::string outcome = schedule.checkpoint_holds
                                  ? "the checkpoint's value is used [use_checkpoint_opt_param_scheduler]"
                                  : "this run's value is used from here on [override_opt_param_scheduler]";
  const auto has_changed = [&](const std::string& name) {
    return saved.contains(name) && now.contains(name) && saved[name] != now[name];
  };
  ScheduleExplanation result;
  for (const optimizer::ScheduleChange& change : schedule.changes) {
    const Names names = deciding(change.key, now);
    const auto cause = std::ranges::find_if(names, has_changed);
    if (cause == names.end()) {
      result.unexplained.push_back(fmt::format("{}: {}", optimizer::to_string(change), outcome));
      continue;
    }
    std::string& follows = result.by_argument[*cause];
    if (const std::string length = optimizer::length_text(change); !length.empty()) follows += length + "; ";
  }
  for (auto& [argument, follows] : result.by_argument) follows += outcome;
  return result;
}

}  // namespace primus::train
