#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Batch size, length of a run, evaluation.
// clang-format off: one row is one line, or a few.
inline constexpr Argument training_arguments[] = {
    {"batch_size", integer, "null", not_yet,
     "Former name of the batch size, no longer valid; use micro_batch_size.", {.null = true}},
    {"decoder_seq_length", integer, "null", not_yet,
     "Sequence length of a decoder beside an encoder.", {.null = true}},
    {"decrease_batch_size_if_needed", boolean, "false", implemented,
     "Round the global batch size down when it does not divide evenly over the ranks."},
    {"deprecated_use_mcore_models", boolean, "false", no_effect("there are no other models"),
     "Former switch for the Megatron-Core models; they are always used."},
    {"enable_experimental", boolean, "false", no_effect("each feature is supported or refused by itself"),
     "Allow features that Megatron calls experimental."},
    {"encoder_seq_length", integer, "null", not_yet,
     "Another name for seq_length; derived from it.", {.null = true}},
    {"eval_interval", integer, "null", implemented,
     "Optimizer steps between two evaluations on the validation set.",
     {.preset = "1000", .null = true, .range = positive, .when = "eval_iters or full_validation"}},
    {"eval_iters", integer, "100", implemented,
     "Global batches in one evaluation; 0 turns evaluation off.",
     {.preset = "0", .range = not_negative}},
    {"exit_duration_in_mins", integer, "null", implemented,
     "Save and exit after this many minutes.", {.null = true, .range = positive}},
    {"exit_interval", integer, "null", implemented,
     "Save and exit when the iteration is a multiple of this.", {.null = true, .range = positive}},
    {"exit_signal", text, "SIGTERM", implemented,
     "Signal that makes the run save and exit, beside SIGTERM, SIGINT, SIGHUP and SIGXCPU, which always do.",
     {.choices = "SIGTERM|SIGINT|SIGHUP|SIGQUIT|SIGUSR1|SIGUSR2|SIGALRM|SIGXCPU|SIGPWR"}},
    {"exit_signal_handler", boolean, "false", no_effect("exit_signal always saves and ends the run"),
     "Save and exit when the exit signal arrives."},
    {"global_batch_size", integer, "null", implemented,
     "Sequences in one optimizer step, over all ranks; null: one micro-batch on each data-parallel rank.",
     {.preset = "16", .null = true, .range = positive}},
    {"micro_batch_size", integer, "null", implemented,
     "Sequences in one forward and backward pass on one rank.", {.preset = "2", .range = positive}},
    {"model_type", text, "gpt", only("gpt"), "Family of model to build: gpt, mamba or a Primus variant."},
    {"onnx_safe", boolean, "null", not_yet, "Work around problems of an ONNX exporter.", {.null = true}},
    {"rampup_batch_size", integers, "null", implemented,
     "Let the batch grow: [first size, step, samples over which to grow].", {.null = true, .range = not_negative}},
    {"seed", integer, "1234", implemented,
     "Seed of everything random: initial weights, dropout, data order.",
     {.range = {.low = 0, .high = 4294967295}}},
    {"seq_length", integer, "null", implemented,
     "Tokens in one training sequence.", {.preset = "1024", .range = positive}},
    {"skip_train", boolean, "false", implemented, "Only evaluate, do not train."},
    {"test_mode", boolean, "false", not_yet, "Run all checks of a test suite at start."},
    {"train_iters", integer, "null", implemented,
     "Optimizer steps of the run; the alternative to train_samples.",
     {.preset = "1000", .null = true, .range = not_negative}},
    {"train_samples", integer, "null", implemented,
     "Sequences to train on; the alternative to train_iters.", {.null = true, .range = not_negative}},
    {"use_legacy_models", boolean, "false", not_yet, "Use Megatron's models from before Megatron-Core."},
    {"yaml_cfg", text, "null", python_only, "Megatron's own YAML configuration file.", {.null = true}},
};
// clang-format on

}  // namespace primus::config::table
