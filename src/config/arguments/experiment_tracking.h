#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// TensorBoard, Weights & Biases, MLflow.
inline constexpr Argument experiment_tracking_arguments[] = {
    {"app_tag_run_name", text, "null", not_yet, "App tag run name.", {.null = true}},
    {"app_tag_run_version", text, "'0.0.0'", not_yet, "App tag run version."},
    {"disable_mlflow", boolean, "true", not_yet, "Disable mlflow."},
    {"disable_tensorboard", boolean, "true", not_yet, "Disable tensorboard."},
    {"disable_wandb", boolean, "true", not_yet, "Disable wandb."},
    {"enable_one_logger", boolean, "true", not_yet, "Enable one logger."},
    {"generate_tracelens_report", boolean, "false", not_yet, "Generate tracelens report."},
    {"log_batch_size_to_tensorboard", boolean, "true", not_yet, "Log batch size to tensorboard."},
    {"log_learning_rate_to_tensorboard", boolean, "true", not_yet, "Log learning rate to tensorboard."},
    {"log_loss_scale_to_tensorboard", boolean, "true", not_yet, "Log loss scale to tensorboard."},
    {"log_memory_to_tensorboard", boolean, "false", not_yet, "Log memory to tensorboard."},
    {"log_timers_to_tensorboard",
     boolean,
     "false",
     not_yet,
     "Log timers to tensorboard.",
     {.preset = "true"}},
    {"log_validation_ppl_to_tensorboard", boolean, "false", not_yet, "Log validation ppl to tensorboard."},
    {"log_world_size_to_tensorboard", boolean, "false", not_yet, "Log world size to tensorboard."},
    {"mlflow_experiment_name", text, "null", not_yet, "Mlflow experiment name.", {.null = true}},
    {"mlflow_run_name", text, "null", not_yet, "Mlflow run name.", {.null = true}},
    {"mlflow_tracelens_auto_install", boolean, "true", not_yet, "Mlflow tracelens auto install."},
    {"mlflow_tracelens_cleanup_after_upload", boolean, "false", not_yet,
     "Mlflow tracelens cleanup after upload."},
    {"mlflow_tracelens_output_format", text, "xlsx", not_yet, "Mlflow tracelens output format."},
    {"mlflow_tracelens_ranks", integers, "null", not_yet, "Mlflow tracelens ranks.", {.null = true}},
    {"mlflow_upload_logs", boolean, "false", not_yet, "Mlflow upload logs."},
    {"mlflow_upload_performance_metrics", boolean, "false", not_yet, "Mlflow upload performance metrics."},
    {"mlflow_upload_tracelens_report", boolean, "false", not_yet, "Mlflow upload tracelens report."},
    {"mlflow_upload_traces", boolean, "false", not_yet, "Mlflow upload traces."},
    {"one_logger_async", boolean, "false", not_yet, "One logger async."},
    {"one_logger_project", text, "megatron-lm", not_yet, "One logger project."},
    {"one_logger_run_name", text, "null", not_yet, "One logger run name.", {.null = true}},
    {"tensorboard_dir", text, "null", not_yet, "Tensorboard dir.", {.null = true}},
    {"tensorboard_log_interval", integer, "1", not_yet, "Tensorboard log interval."},
    {"tensorboard_queue_size", integer, "1000", not_yet, "Tensorboard queue size."},
    {"wandb_entity", text, "null", not_yet, "Wandb entity.", {.null = true}},
    {"wandb_exp_name", text, "null", not_yet, "Wandb exp name.", {.null = true}},
    {"wandb_project", text, "null", not_yet, "Wandb project.", {.null = true}},
    {"wandb_save_dir", text, "null", not_yet, "Wandb save dir.", {.null = true}},
};

}  // namespace primus::config::table
