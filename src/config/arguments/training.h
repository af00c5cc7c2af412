#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Batch size, length of a run, evaluation.
inline constexpr Argument training_arguments[] = {
    {"batch_size", integer, "null", not_yet, "Batch size.", {.null = true}},
    {"decoder_seq_length", integer, "null", not_yet, "Decoder seq length.", {.null = true}},
    {"decrease_batch_size_if_needed", boolean, "false", not_yet, "Decrease batch size if needed."},
    {"deprecated_use_mcore_models", boolean, "false", not_yet, "Deprecated use mcore models."},
    {"enable_experimental", boolean, "false", not_yet, "Enable experimental."},
    {"encoder_seq_length", integer, "null", not_yet, "Encoder seq length.", {.null = true}},
    {"eval_interval", integer, "null", implemented, "Eval interval.", {.preset = "1000", .null = true}},
    {"eval_iters", integer, "100", implemented, "Eval iters.", {.preset = "0"}},
    {"exit_duration_in_mins", integer, "null", implemented, "Exit duration in mins.", {.null = true}},
    {"exit_interval", integer, "null", implemented, "Exit interval.", {.null = true}},
    {"exit_signal", text, "SIGTERM", not_yet, "Exit signal."},
    {"exit_signal_handler", boolean, "false", implemented, "Exit signal handler."},
    {"global_batch_size", integer, "null", implemented, "Global batch size.", {.preset = "16", .null = true}},
    {"micro_batch_size", integer, "null", implemented, "Micro batch size.", {.preset = "2"}},
    {"model_type", text, "gpt", not_yet, "Model type."},
    {"onnx_safe", boolean, "null", not_yet, "Onnx safe.", {.null = true}},
    {"rampup_batch_size", integers, "null", implemented, "Rampup batch size.", {.null = true}},
    {"seed", integer, "1234", implemented, "Seed."},
    {"seq_length", integer, "null", implemented, "Seq length.", {.preset = "1024"}},
    {"skip_train", boolean, "false", implemented, "Skip train."},
    {"test_mode", boolean, "false", not_yet, "Test mode."},
    {"train_iters", integer, "null", implemented, "Train iters.", {.preset = "1000", .null = true}},
    {"train_samples", integer, "null", implemented, "Train samples.", {.null = true}},
    {"use_legacy_models", boolean, "false", not_yet, "Use legacy models."},
    {"yaml_cfg", text, "null", python_only, "Yaml cfg.", {.null = true}},
};

}  // namespace primus::config::table
