#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Faults, reruns and stragglers.
// clang-format off: one row is one line, or a few.
inline constexpr Argument fault_tolerance_arguments[] = {
    {"adlr_autoresume", boolean, "false", not_yet, "Resume by a cluster's own mechanism."},
    {"adlr_autoresume_interval", integer, "1000", not_yet, "Iterations between two looks at that mechanism."},
    {"calc_ft_timeouts", boolean, "false", not_yet, "Find time limits for fault detection from this run."},
    {"check_for_large_grads", boolean, "false", not_yet, "Stop at gradients that are far larger than usual."},
    {"check_for_nan_in_loss_and_grad", boolean, "true", implemented,
     "Stop at a loss or gradient that is not finite."},
    {"check_for_spiky_loss", boolean, "false", not_yet, "Stop at a loss that is far larger than usual."},
    {"check_weight_hash_across_dp_replicas_interval", integer, "null", not_yet,
     "Iterations between two comparisons of weights over the replicas.", {.null = true}},
    {"disable_straggler_on_startup", boolean, "false", not_yet, "Start with the straggler detector off."},
    {"enable_ft_package", boolean, "false", not_yet, "Use NVIDIA's fault-tolerance package."},
    {"error_injection_rate", integer, "0", not_yet, "Iterations between two errors injected on purpose."},
    {"error_injection_type", text, "transient_error", not_yet,
     "Kind of injected error.", {.choices = "correct_result|transient_error|persistent_error"}},
    {"ft_num_warmup_iters", integer, "5", not_yet, "Iterations before fault detection sets in."},
    {"inprocess_active_world_size", integer, "1", not_yet,
     "Ranks that train; the others stand by for restarts."},
    {"inprocess_barrier_timeout", number, "120", not_yet,
     "Seconds that restarted ranks wait for each other."},
    {"inprocess_completion_timeout", number, "120", not_yet,
     "Seconds that ranks wait for each other at the end."},
    {"inprocess_empty_cuda_cache", boolean, "false", not_yet, "Release unused GPU memory at a restart."},
    {"inprocess_granularity", text, "node", not_yet,
     "What is replaced after a fault: a node or a rank.", {.choices = "node|rank"}},
    {"inprocess_hard_timeout", number, "90", not_yet, "Seconds after which a rank that hangs is killed."},
    {"inprocess_heartbeat_interval", number, "30", not_yet, "Seconds between two signs of life."},
    {"inprocess_heartbeat_timeout", number, "60", not_yet,
     "Seconds without a sign of life that count as a fault."},
    {"inprocess_last_call_wait", number, "1", not_yet, "Seconds to wait for more faults before restarting."},
    {"inprocess_max_iterations", integer, "null", not_yet, "Restarts before giving up.", {.null = true}},
    {"inprocess_monitor_process_interval", number, "1.0", not_yet,
     "Seconds between two looks of the monitor process."},
    {"inprocess_monitor_thread_interval", number, "1.0", not_yet,
     "Seconds between two looks of the monitor thread."},
    {"inprocess_progress_watchdog_interval", number, "1.0", not_yet,
     "Seconds between two updates of progress."},
    {"inprocess_restart", boolean, "false", not_yet, "Restart inside of the process after a fault."},
    {"inprocess_soft_timeout", number, "60", not_yet,
     "Seconds after which a rank that hangs is interrupted."},
    {"inprocess_termination_grace_time", number, "1", not_yet,
     "Seconds between asking a rank to end and killing it."},
    {"log_straggler", boolean, "false", not_yet, "Detect and log slow ranks."},
    {"rerun_mode", text, "validate_results", not_yet,
     "Run suspicious iterations again: disabled, validate_results or report_stats.",
     {.preset = "disabled", .choices = "disabled|validate_results|report_stats"}},
    {"result_rejected_tracker_filename", text, "null", not_yet,
     "File that lists iterations whose results were rejected.", {.null = true}},
    {"run_workload_inspector_server", boolean, "false", not_yet,
     "Serve information about the run over HTTP."},
    {"straggler_ctrlr_port", integer, "65535", not_yet, "Port on which the straggler detector listens."},
    {"straggler_minmax_count", integer, "1", not_yet, "Fastest and slowest ranks to report."},
};
// clang-format on

}  // namespace primus::config::table
