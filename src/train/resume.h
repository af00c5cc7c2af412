#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/scheduler.h"
#include "tokenizer/tokenizer.h"
#include "train/replica.h"
#include "train/settings.h"

namespace primus::train {

/// Where a run stands; what a checkpoint keeps beside tensors.
struct RunState {
  std::int64_t iteration = 0;
  std::int64_t consumed_train_samples = 0;
  std::int64_t skipped_train_samples = 0;
  std::int64_t consumed_valid_samples = 0;
};

/// Which checkpoint a run starts from, and how much of it is taken.
struct LoadPlan {
  std::filesystem::path directory;
  std::int64_t iteration = 0;
  /// Weights alone: the run starts at iteration 0 (`finetune`, or a release).
  bool weights_only = false;
  bool optimizer = true;
  /// For the log: what was decided and why.
  std::vector<std::string> messages;
};

/// Primus' rules: with `auto_continue_train` a checkpoint in the run's own folder comes first and is
/// continued, and so does a run that was started again from its own; otherwise `load` is taken, and restarts
/// at iteration 0 with `finetune`. Nullopt: the run starts from random weights. Throws UserError when a
/// checkpoint that must be there is not, and when a run would start at iteration 0 where the checkpoints of
/// an earlier run lie.
std::optional<LoadPlan> plan_load(const ResumeSettings& settings, const std::filesystem::path& own_folder);

/// The training state that checkpoints hold.
struct Trained {
  Replica& replica;
  optimizer::OptimizerParamScheduler& scheduler;
};

/// What a checkpoint has given.
struct Loaded {
  RunState state;
  /// For the log: in what the model goes on otherwise than the checkpoint's.
  std::vector<std::string> messages;
  /// In what the schedule differs from the checkpoint's.
  std::vector<optimizer::ScheduleChange> schedule;
  /// The identity of the run that saved it (train/run_identity.h); null when it has none.
  nlohmann::json run;
};

/// With the optimizer's state, main weights are the file's, and bf16 weights their rounding, whatever the
/// file has for them; with the distributed optimizer only in this rank's part, and the caller gathers the
/// others'. Without, main weights are the weights. Weights of fp32 become main weights of bf16, and main
/// weights become weights of fp32, when the precision has changed. Throws UserError for a checkpoint of
/// another model or optimizer, or a damaged one.
Loaded load_checkpoint(const LoadPlan& plan, const Trained& trained);

struct SaveOptions {
  bool with_optimizer = true;
  /// Kept in the checkpoint, so that its model can be used without the experiment file.
  tokenizer::TokenizerOptions tokenizer;
  /// See Loaded.
  nlohmann::json run;
};

/// Saves below `folder`, and moves its tracker file. Throws Error; an older checkpoint
/// stays.
void save_checkpoint(const std::filesystem::path& folder, const RunState& state, const Trained& trained,
                     const SaveOptions& options);

}  // namespace primus::train
