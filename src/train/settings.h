#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "train/microbatches.h"
#include "train/stopping.h"

namespace primus::config {
class Arguments;
}

namespace primus::train {

/// What the loop itself reads; the other modules make their own structs from the arguments.
struct LoopSettings {
  std::uint64_t seed = 1234;
  BatchSettings batch;
  std::int64_t seq_length = 0;
  /// One of the two is given; the loop runs for `train_iters`, derived from the samples if need be.
  std::optional<std::int64_t> train_iters;
  std::optional<std::int64_t> train_samples;
  std::int64_t eval_iters = 0;
  std::optional<std::int64_t> eval_interval;
  /// Evaluations take every validation sample once, in order, instead of the next `eval_iters` batches.
  bool full_validation = false;
  bool skip_train = false;
  /// 1-based iterations whose batch is consumed without being trained on.
  std::vector<std::int64_t> iterations_to_skip;

  /// The loss is averaged over all tokens of the global batch instead of per micro-batch.
  bool calculate_per_token_loss = false;
  bool check_for_nan_in_loss = true;

  std::int64_t log_interval = 1;
  bool log_throughput = false;
  bool log_params_norm = false;
  bool log_num_zeros_in_grad = false;

  std::string dataloader_type = "single";
  bool data_sharding = true;
  std::int64_t num_workers = 0;
};

/// Checkpoint arguments after Primus' rules: `save` is always the run directory's, `auto_continue_train`
/// looks there first.
struct ResumeSettings {
  /// Whether the run writes checkpoints.
  bool save = false;
  std::optional<std::int64_t> save_interval;
  std::optional<std::int64_t> save_retain_interval;
  bool disable_last_saving = false;
  bool no_save_optim = false;
  /// The run only evaluates: it writes no checkpoint, and keeps what an earlier run has written.
  bool skip_train = false;
  std::string load;
  Where load_where = {};
  std::optional<std::int64_t> ckpt_step;
  bool auto_continue_train = false;
  bool finetune = false;
  bool no_load_optim = false;
  bool exit_on_missing_checkpoint = false;
  /// Set when the launcher has started the run again after a failure: when it began. Then it continues from
  /// what it has saved since, whatever the other settings say.
  std::optional<std::chrono::system_clock::time_point> restarted_run_began;
};

/// Throw UserError naming the argument and its place when values make no sense.
LoopSettings loop_settings_from(const config::Arguments& arguments);
ResumeSettings resume_settings_from(const config::Arguments& arguments);
StopSettings stop_settings_from(const config::Arguments& arguments, std::int64_t train_iters);

/// Makes all settings of a run from derived arguments, without its model, its files or its other ranks.
/// Throws the UserError that training would begin with.
void check_settings(const config::Arguments& arguments, int world_size);

}  // namespace primus::train
