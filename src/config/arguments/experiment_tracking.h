#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Profiles are shown in TensorBoard, which `profile` turns on.
inline constexpr std::string_view tensorboard = "!disable_tensorboard or profile";

/// TensorBoard, Weights & Biases, MLflow.
// clang-format off: one row is one line, or a few.
inline constexpr Argument experiment_tracking_arguments[] = {
    {"app_tag_run_name", text, "null", python_only, "Name of the run for one-logger.", {.null = true}},
    {"app_tag_run_version", text, "'0.0.0'", python_only, "Version of the run for one-logger."},
    {"disable_mlflow", boolean, "true", not_yet, "Do not log to MLflow."},
    {"disable_tensorboard", boolean, "true", not_yet, "Do not write TensorBoard files."},
    {"disable_wandb", boolean, "true", not_yet, "Do not log to Weights & Biases."},
    {"enable_one_logger", boolean, "true", python_only, "Log to NVIDIA's one-logger."},
    {"generate_tracelens_report", boolean, "false", not_yet, "Make a TraceLens report of profiles."},
    {"log_batch_size_to_tensorboard", boolean, "true", not_yet,
     "Former switch; the batch size is always written.", {.when = tensorboard}},
    {"log_learning_rate_to_tensorboard", boolean, "true", not_yet,
     "Former switch; the learning rate is always written.", {.when = tensorboard}},
    {"log_loss_scale_to_tensorboard", boolean, "true", not_yet, "Write the loss scale to TensorBoard.",
     {.when = tensorboard}},
    {"log_memory_to_tensorboard", boolean, "false", not_yet, "Write memory use to TensorBoard.",
     {.when = tensorboard}},
    {"log_timers_to_tensorboard", boolean, "false", not_yet,
     "Write timers to TensorBoard.", {.preset = "true", .when = tensorboard}},
    {"log_validation_ppl_to_tensorboard", boolean, "false", not_yet,
     "Write the validation perplexity to TensorBoard.", {.when = tensorboard}},
    {"log_world_size_to_tensorboard", boolean, "false", not_yet, "Write the number of ranks to TensorBoard.",
     {.when = tensorboard}},
    {"mlflow_experiment_name", text, "null", not_yet, "Experiment in MLflow.",
     {.null = true, .when = "!disable_mlflow"}},
    {"mlflow_run_name", text, "null", not_yet, "Run in MLflow.", {.null = true, .when = "!disable_mlflow"}},
    {"mlflow_tracelens_auto_install", boolean, "true", not_yet, "Install TraceLens when it is missing.",
     {.when = "!disable_mlflow"}},
    {"mlflow_tracelens_cleanup_after_upload", boolean, "false", not_yet,
     "Delete reports once they were uploaded.", {.when = "!disable_mlflow"}},
    {"mlflow_tracelens_output_format", text, "xlsx", not_yet, "Format of TraceLens reports.",
     {.when = "!disable_mlflow"}},
    {"mlflow_tracelens_ranks", integers, "null", not_yet,
     "Ranks to make TraceLens reports of.", {.null = true, .when = "!disable_mlflow"}},
    {"mlflow_upload_logs", boolean, "false", not_yet, "Upload log files to MLflow.",
     {.when = "!disable_mlflow"}},
    {"mlflow_upload_performance_metrics", boolean, "false", not_yet, "Upload speed and memory to MLflow.",
     {.when = "!disable_mlflow"}},
    {"mlflow_upload_tracelens_report", boolean, "false", not_yet, "Upload TraceLens reports to MLflow.",
     {.when = "!disable_mlflow"}},
    {"mlflow_upload_traces", boolean, "false", not_yet, "Upload profiles to MLflow.",
     {.when = "!disable_mlflow"}},
    {"one_logger_async", boolean, "false", python_only, "Send to one-logger in the background."},
    {"one_logger_project", text, "megatron-lm", python_only, "Project in one-logger."},
    {"one_logger_run_name", text, "null", python_only, "Run in one-logger.", {.null = true}},
    {"tensorboard_dir", text, "null", not_yet,
     "Folder of TensorBoard files; derived: in the run directory.",
     {.null = true, .when = tensorboard}},
    {"tensorboard_log_interval", integer, "1", not_yet,
     "Iterations between two points in TensorBoard.",
     {.range = positive, .when = tensorboard}},
    {"tensorboard_queue_size", integer, "1000", not_yet, "Points that are kept before they are written.",
     {.when = tensorboard}},
    {"wandb_entity", text, "null", not_yet, "Owner of the run in Weights & Biases.",
     {.null = true, .when = "!disable_wandb"}},
    {"wandb_exp_name", text, "null", not_yet, "Run in Weights & Biases; null: exp_name.",
     {.null = true, .when = "!disable_wandb"}},
    {"wandb_project", text, "null", not_yet,
     "Project in Weights & Biases; null: from work_group and user_name.",
     {.null = true, .when = "!disable_wandb"}},
    {"wandb_save_dir", text, "null", not_yet,
     "Folder of Weights & Biases files; derived: in the run directory.",
     {.null = true, .when = "!disable_wandb"}},
};
// clang-format on

}  // namespace primus::config::table
