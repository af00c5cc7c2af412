// Batch sizes, the length of the run, data, optimizer and checkpoints.
#include <fmt/format.h>

#include <algorithm>

#include "config/blend.h"
#include "config/rules.h"

namespace primus::config {

namespace {

class TrainingRules : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    batch();
    length_of_run();
    data();
    optimizer();
    checkpoint();
  }

 private:
  void batch() {
    const std::int64_t micro = a.get<"micro_batch_size">();
    const auto global = a.get<"global_batch_size">();
    if (!global) return;
    const std::int64_t model = a.get<"tensor_model_parallel_size">() *
                               a.get<"pipeline_model_parallel_size">() * a.get<"context_parallel_size">();
    if (context_.world_size > most_ranks || context_.world_size % model != 0) return;
    const std::int64_t data_parallel = context_.world_size / model;
    const std::int64_t one_step = micro * data_parallel;
    const bool may_round = a.get<"decrease_batch_size_if_needed">() && *global >= one_step;
    const std::int64_t below = *global / one_step * one_step;
    require<"global_batch_size", "micro_batch_size">(
        may_round || *global % one_step == 0,
        fmt::format("the global batch size ({}) is not divisible by the micro batch size ({}) times the "
                    "data-parallel size ({}): take {}{}, or set 'decrease_batch_size_if_needed: true'",
                    *global, micro, data_parallel, below > 0 ? fmt::format("{} or ", below) : "",
                    below + one_step));
    ramp_up(*global, one_step);
  }

  void ramp_up(std::int64_t global, std::int64_t one_step) {
    const auto ramp = a.get<"rampup_batch_size">();
    if (ramp.empty()) return;
    const bool shape = ramp.size() == 3 && ramp[0] > 0 && ramp[1] > 0 && ramp[2] >= 0;
    require<"rampup_batch_size">(shape,
                                 "'rampup_batch_size' takes three positive integers: [start, step, samples]");
    if (!shape) return;
    require<"rampup_batch_size">(
        ramp[0] <= global && (global - ramp[0]) % ramp[1] == 0,
        fmt::format("'rampup_batch_size' cannot grow from {} to 'global_batch_size' ({}) in steps of {}",
                    ramp[0], global, ramp[1]));
    require<"rampup_batch_size">(
        ramp[0] % one_step == 0 && ramp[1] % one_step == 0,
        fmt::format("start and step of 'rampup_batch_size' must be multiples of the micro-batch "
                    "size times the data-parallel size ({})",
                    one_step));
  }

  void length_of_run() {
    const bool iterations = a.get<"train_iters">().value_or(0) != 0;
    const bool samples = a.get<"train_samples">().value_or(0) != 0;
    if (iterations) {
      require<"train_samples">(!a.get<"train_samples">(),
                               "'train_samples' and 'train_iters' are both set: set one of them to null");
      require<"lr_decay_samples">(!a.get<"lr_decay_samples">(),
                                  "'lr_decay_samples' goes with 'train_samples'; use 'lr_decay_iters'");
      require<"lr_warmup_samples">(a.get<"lr_warmup_samples">() == 0,
                                   "'lr_warmup_samples' goes with 'train_samples'; use 'lr_warmup_iters'");
      require<"rampup_batch_size">(a.get<"rampup_batch_size">().empty(),
                                   "'rampup_batch_size' goes with 'train_samples', not with 'train_iters'");
      if (a.get<"lr_warmup_fraction">()) {
        require<"lr_warmup_fraction">(
            a.get<"lr_warmup_iters">() == 0,
            "'lr_warmup_fraction' and 'lr_warmup_iters' are both set: set the latter to 0");
      }
    } else if (samples) {
      require<"lr_decay_iters">(!a.get<"lr_decay_iters">(),
                                "'lr_decay_iters' goes with 'train_iters'; use 'lr_decay_samples'");
      require<"lr_warmup_iters">(
          a.get<"lr_warmup_iters">() == 0,
          "'lr_warmup_iters' goes with 'train_iters'; set it to 0 and use 'lr_warmup_samples'");
      if (a.get<"lr_warmup_fraction">()) {
        require<"lr_warmup_fraction">(
            a.get<"lr_warmup_samples">() == 0,
            "'lr_warmup_fraction' and 'lr_warmup_samples' are both set: set the latter to 0");
      }
    }
  }

  void data() {
    reads<"split">([](const std::optional<std::string>& split) {
      if (split) parse_split(*split);
    });
    if (a.get<"mock_data">()) return;
    const bool blend = !a.get<"data_path">().empty();
    const bool per_split = !a.get<"train_data_path">().empty() || !a.get<"valid_data_path">().empty() ||
                           !a.get<"test_data_path">().empty();
    require<"data_args_path">(!blend || !a.get<"data_args_path">(),
                              "'data_path' and 'data_args_path' exclude each other");
    require<"per_split_data_args_path">(
        !per_split || !a.get<"per_split_data_args_path">(),
        "'per_split_data_args_path' and the paths of each split exclude each other");
    const bool any_per_split = per_split || a.get<"per_split_data_args_path">();
    require<"train_data_path">(!(blend || a.get<"data_args_path">()) || !any_per_split,
                               "give one source of data: 'data_path', or the paths of each split");
    require<"split">(!any_per_split || !a.get<"split">(),
                     "'split' divides 'data_path' and cannot be combined with per-split paths");
    reads<"data_path">(parse_blend);
    reads<"train_data_path">(parse_blend);
    reads<"valid_data_path">(parse_blend);
    reads<"test_data_path">(parse_blend);
  }

  /// Makes what `parse` refuses a problem of the argument.
  template <ArgumentName Name, typename Parse>
  void reads(const Parse& parse) {
    try {
      parse(a.get<Name>());
    } catch (const UserError& error) {
      require<Name>(false, fmt::format("'{}' is {}", Name.view(), error.what()));
    }
  }

  void optimizer() {
    require<"min_lr", "lr">(
        a.get<"min_lr">() <= a.get<"lr">(),
        fmt::format("'min_lr' ({}) must not be above 'lr' ({})", a.get<"min_lr">(), a.get<"lr">()));
    require<"lr_warmup_init", "lr">(a.get<"lr_warmup_init">() <= a.get<"lr">(),
                                    fmt::format("'lr_warmup_init' ({}) must not be above 'lr' ({})",
                                                a.get<"lr_warmup_init">(), a.get<"lr">()));
    if (const auto decoupled = a.get<"decoupled_lr">()) {
      const double lowest = a.get<"decoupled_min_lr">().value_or(a.get<"min_lr">());
      require<"decoupled_lr", "decoupled_min_lr", "min_lr">(
          lowest <= *decoupled,
          fmt::format("'decoupled_min_lr' ({}, by default 'min_lr') must not be above 'decoupled_lr' ({})",
                      lowest, *decoupled));
    }
    const bool constant = a.get<"weight_decay_incr_style">() == "constant";
    const auto start = a.get<"start_weight_decay">(), end = a.get<"end_weight_decay">();
    require<"weight_decay_incr_style">(
        constant ? !start && !end : start && end,
        constant ? "'weight_decay_incr_style: constant' takes no 'start_weight_decay' and 'end_weight_decay'"
                 : "'weight_decay_incr_style' other than constant needs 'start_weight_decay' and "
                   "'end_weight_decay'");
    require<"start_weight_decay", "end_weight_decay">(
        !start || !end || *start <= *end, "'start_weight_decay' must not be above 'end_weight_decay'");
    require<"override_opt_param_scheduler">(
        !a.get<"override_opt_param_scheduler">() || !a.get<"use_checkpoint_opt_param_scheduler">(),
        "'override_opt_param_scheduler' and 'use_checkpoint_opt_param_scheduler' exclude each other");
    muon();
  }

  void muon() {
    const std::string kind = a.get<"optimizer">();
    if (kind.find("muon") == std::string::npos) return;
    require<"optimizer">(
        kind != "muon" || (!a.get<"overlap_grad_reduce">() && !a.get<"overlap_param_gather">()),
        "muon cannot be combined with 'overlap_grad_reduce' or 'overlap_param_gather'; use dist_muon "
        "instead");
    require<"optimizer">(
        !a.get<"use_distributed_optimizer">() && !a.get<"use_torch_fsdp2">() && !a.get<"use_megatron_fsdp">(),
        "muon cannot be combined with the distributed optimizer or FSDP");
    require<"optimizer">(a.get<"ckpt_format">() == "torch" || a.get<"ckpt_format">() == "torch_dist",
                         "muon needs 'ckpt_format' torch or torch_dist");
  }

  void checkpoint() {
    const auto kind = a.get<"non_persistent_ckpt_type">();
    require<"non_persistent_ckpt_type">(!kind || *kind == "global" || *kind == "local",
                                        "'non_persistent_ckpt_type' must be global or local");
    require<"non_persistent_local_ckpt_dir">(
        kind != "local" || a.get<"non_persistent_local_ckpt_dir">(),
        "'non_persistent_ckpt_type: local' needs 'non_persistent_local_ckpt_dir'");
    if (a.get<"save">()) {
      const std::int64_t interval = a.get<"save_interval">().value_or(0);
      require<"save_interval">(interval > 0, "'save' needs a 'save_interval'");
      const auto retain = a.get<"save_retain_interval">();
      require<"save_retain_interval">(
          !retain || (interval > 0 && *retain % interval == 0),
          fmt::format("'save_retain_interval' must be a multiple of 'save_interval' ({})", interval));
    }
    require<"load_main_params_from_ckpt">(!a.get<"load_main_params_from_ckpt">() || a.get<"no_load_optim">(),
                                          "'load_main_params_from_ckpt' needs 'no_load_optim: true'");
    const std::string format = a.get<"ckpt_format">();
    require<"ckpt_format">(
        format != "torch_dcp" || (a.get<"use_torch_fsdp2">() && a.get<"tensor_model_parallel_size">() <= 1 &&
                                  a.get<"pipeline_model_parallel_size">() <= 1),
        "'ckpt_format: torch_dcp' needs 'use_torch_fsdp2' without tensor or pipeline parallelism");
    require<"ckpt_format">(format != "fsdp_dtensor" || a.get<"use_megatron_fsdp">(),
                           "'ckpt_format: fsdp_dtensor' needs 'use_megatron_fsdp'");
    require<"replication">(!a.get<"replication">() || (a.get<"replication_jump">() && kind == "local"),
                           "'replication' needs 'replication_jump' and 'non_persistent_ckpt_type: local'");
  }
};

}  // namespace

void check_training_rules(const Arguments& arguments, const RunContext& context,
                          std::vector<Problem>& problems) {
  TrainingRules(arguments, context, problems).check_all();
}

}  // namespace primus::config
