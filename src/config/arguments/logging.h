#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Log lines and sinks.
inline constexpr Argument logging_arguments[] = {
    {"barrier_with_L1_time", boolean, "true", not_yet, "Barrier with l1 time."},
    {"config_logger_dir", text, "''", not_yet, "Config logger dir."},
    {"file_sink_level",
     text,
     "DEBUG",
     implemented,
     "File sink level.",
     {.choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"log_avg_reset_interval", integer, "10", implemented, "Log avg reset interval."},
    {"log_avg_skip_iterations", integer, "2", implemented, "Log avg skip iterations."},
    {"log_energy", boolean, "false", not_yet, "Log energy."},
    {"log_interval", integer, "100", implemented, "Log interval.", {.preset = "1"}},
    {"log_max_attention_logit", boolean, "false", not_yet, "Log max attention logit."},
    {"log_num_zeros_in_grad", boolean, "false", implemented, "Log num zeros in grad."},
    {"log_params_norm", boolean, "false", implemented, "Log params norm."},
    {"log_progress", boolean, "false", not_yet, "Log progress."},
    {"log_throughput", boolean, "false", implemented, "Log throughput.", {.preset = "true"}},
    {"logging_level", integer, "null", not_yet, "Logging level.", {.null = true}},
    {"sink_level",
     text,
     "null",
     implemented,
     "Sink level.",
     {.null = true, .choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"stderr_sink_level",
     text,
     "INFO",
     implemented,
     "Stderr sink level.",
     {.choices = "DEBUG|INFO|WARNING|ERROR"}},
    {"timing_log_level", integer, "0", not_yet, "Timing log level.", {.choices = "0|1|2"}},
    {"timing_log_option", text, "minmax", not_yet, "Timing log option.", {.choices = "max|minmax|all"}},
    {"trainable", boolean, "true", no_effect("every trainer module is trained"), "Trainable."},
};

}  // namespace primus::config::table
