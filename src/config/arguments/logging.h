#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Log lines and sinks.
// clang-format off: one row is one line, or a few.
inline constexpr Argument logging_arguments[] = {
    {"barrier_with_L1_time", boolean, "true", no_effect("timers wait for no other rank"),
     "Wait for all ranks around timers of level 1."},
    {"config_logger_dir", text, "''", not_yet, "Folder for the configurations of all Megatron objects."},
    {"file_sink_level", text, "DEBUG", implemented,
     "Least severity in log files: DEBUG, INFO, WARNING or ERROR.", {.choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"log_avg_reset_interval", integer, "10", implemented,
     "Log lines whose times are averaged before the average starts anew.", {.range = positive}},
    {"log_avg_skip_iterations", integer, "2", implemented,
     "First iterations that averages leave out.", {.range = not_negative}},
    {"log_energy", boolean, "false", not_yet, "Log energy use."},
    {"log_interval", integer, "100", implemented,
     "Iterations between two log lines.", {.preset = "1", .range = positive}},
    {"log_max_attention_logit", boolean, "false", not_yet, "Log the largest attention score."},
    {"log_num_zeros_in_grad", boolean, "false", implemented, "Log how many gradients are 0."},
    {"log_params_norm", boolean, "false", implemented, "Log the norm of the parameters."},
    {"log_progress", boolean, "false", not_yet, "Write progress to progress.txt beside the checkpoints."},
    {"log_throughput", boolean, "false", implemented,
     "Log TFLOP/s and tokens per second.", {.preset = "true"}},
    {"logging_level", integer, "null", python_only, "Level of Python's loggers in Megatron.", {.null = true}},
    {"sink_level", text, "null", implemented,
     "Least severity everywhere; wins over the levels of files and console.",
     {.null = true, .choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"stderr_sink_level", text, "INFO", implemented,
     "Least severity on the console.", {.choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"timing_log_level", integer, "0", not_yet,
     "Timers to keep: 0 the main ones, 2 all.", {.choices = "0|1|2"}},
    {"timing_log_option", text, "minmax", not_yet,
     "Timers over ranks: max, minmax or all.", {.choices = "max|minmax|all"}},
    {"trainable", boolean, "true", no_effect("every trainer module is trained"),
     "Mark of a module that is trained."},
};
// clang-format on

}  // namespace primus::config::table
