// primus-cli benchmark step: the training step of an experiment, without what stands around it.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/benchmark_commands.h"
#include "cli/config_options.h"
#include "config/validate.h"
#include "core/error.h"
#include "core/log.h"
#include "kernels/cpu/allocator.h"
#include "kernels/cpu/features.h"
#include "observe/training_log.h"
#include "plan/memory.h"
#include "plan/operator_times.h"
#include "plan/timing.h"
#include "train/trainer.h"

namespace primus::cli {

namespace {

struct StepOptions {
  std::shared_ptr<ConfigOptions> config;
  int repeats = 5;
  int warm_up = 2;
  bool blocks = false;
};

/// The experiment's training on random tokens, in this process alone.
class MeasuredTraining {
 public:
  MeasuredTraining(const StepOptions& options, const std::vector<std::string>& overrides)
      : logger_({.console_level = LogLevel::warning}), experiment_(resolve(options, overrides)) {
    kernels::cpu::install_caching_allocator();
    program_bytes_ = observe::peak_resident_bytes();
    trainer_.emplace(experiment_, parallel::Mesh(), logger_);
    size_ = trainer_->step_size();
    peak_.emplace(size_.model.params_dtype);
  }

  void step() { trainer_->train_step(); }
  double step_seconds() {
    return plan::seconds_of([this] { step(); });
  }
  double gemm_rate() const { return peak_->measure(); }

  const train::StepSize& size() const { return size_; }
  const std::string& name() const { return experiment_.exp_name; }
  std::int64_t program_bytes() const { return program_bytes_; }
  plan::StepMemory predicted_memory() const {
    return plan::predict_step_memory(size_.model, size_.micro_batch_size, size_.seq_length);
  }

 private:
  /// The user's overrides come last, so they win.
  static config::Experiment resolve(const StepOptions& options, const std::vector<std::string>& overrides) {
    std::vector<std::string> all = {"mock_data=true",
                                    "data_path=null",
                                    "train_data_path=null",
                                    "tokenizer_type=NullTokenizer",
                                    "tokenizer_model=null",
                                    "train_iters=2000",
                                    "eval_iters=0",
                                    "save=null",
                                    "auto_continue_train=false"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    config::Experiment experiment = config::resolve(options.config->request(all));
    // A measurement is no run: the checkpoints of one in the experiment's folder are no concern of it.
    experiment.root_directory /= "benchmark";
    const config::RunContext context = config::RunContext::of(experiment, /*world_size=*/1);
    experiment.arguments = config::arguments_for_training(experiment, context).arguments;
    return experiment;
  }

  Logger logger_;
  config::Experiment experiment_;
  std::int64_t program_bytes_ = 0;
  std::optional<train::Trainer> trainer_;
  train::StepSize size_;
  std::optional<plan::GemmPeak> peak_;
};

double megabytes(std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void print_memory(const MeasuredTraining& training) {
  const plan::StepMemory memory = training.predicted_memory();
  const std::int64_t predicted = training.program_bytes() + memory.total();
  fmt::print(
      "peak memory    {:9.0f} MB; predicted {:.0f}: program {:.0f}, weights and optimizer {:.0f}, "
      "activations {:.0f}, logits {:.0f}, gaps {:.0f}\n",
      megabytes(observe::peak_resident_bytes()), megabytes(predicted), megabytes(training.program_bytes()),
      megabytes(memory.weights_and_states), megabytes(memory.activations), megabytes(memory.logits),
      megabytes(memory.gaps()));
  const kernels::cpu::AllocatorStatistics tensors = kernels::cpu::install_caching_allocator().statistics();
  fmt::print("of it tensors  {:9.0f} MB in use at most, {:.0f} MB held for them\n",
             megabytes(tensors.peak_in_use), megabytes(tensors.peak_reserved));
}

void print_breakdown(const std::vector<plan::OperatorTime>& operators, double whole) {
  fmt::print("\n{:34} {:>7} {:>10} {:>7} {:>10}\n", "operator", "calls", "ms", "share", "CPU ms");
  const auto line = [whole](const plan::OperatorTime& one) {
    fmt::print("{:34} {:7} {:10.2f} {:5.1f} % {:10.2f}\n", one.name, one.calls, one.seconds * 1e3,
               100 * one.seconds / whole, one.processor_seconds * 1e3);
  };
  constexpr double least_share = 0.002;
  plan::OperatorTime others{.name = "others"};
  double named = 0;
  for (const plan::OperatorTime& one : operators) {
    named += one.seconds;
    const bool ours = one.name.find("::") == std::string::npos;
    if (ours || one.seconds >= least_share * whole) {
      line(one);
    } else {
      others.calls += one.calls;
      others.seconds += one.seconds;
      others.processor_seconds += one.processor_seconds;
    }
  }
  line(others);
  fmt::print("{:34} {:7} {:10.2f} {:5.1f} %\n", "between operators", "", (whole - named) * 1e3,
             100 * (whole - named) / whole);
}

void measure(MeasuredTraining& training, const StepOptions& options) {
  fmt::print("{}\n{}: {} tokens a step, {}\n", kernels::cpu::describe_cpu(), training.name(),
             training.size().tokens, c10::toString(training.size().model.params_dtype));
  for (int i = 0; i < options.warm_up; ++i) training.step();
  std::vector<double> times, rates;
  for (int i = 0; i < options.repeats; ++i) {
    rates.push_back(training.gemm_rate());
    times.push_back(training.step_seconds());
  }
  const double time = plan::median(times), peak = plan::median(rates);
  const double rate = training.size().floating_point_operations / time / 1e9;
  fmt::print("step           {:9.1f} ms, median of {}\n", time * 1e3, options.repeats);
  fmt::print("tokens/s       {:9.0f}\n", static_cast<double>(training.size().tokens) / time);
  fmt::print("model rate     {:9.1f} GFLOP/s\n", rate);
  fmt::print("GEMM peak      {:9.1f} GFLOP/s, measured between the steps: the step is at {:.1f} % of it\n",
             peak, 100 * rate / peak);
  print_memory(training);
  double whole = 0;
  const auto operators = plan::time_operators([&] { whole = training.step_seconds(); });
  print_breakdown(operators, whole);
}

/// For scripts that alternate programs: a number of steps on each line of stdin, a line of JSON for each.
void serve_blocks(MeasuredTraining& training) {
  const auto say = [](const nlohmann::ordered_json& line) {
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
  };
  const double first = training.step_seconds();
  say({{"first_step_s", first}, {"flops", training.size().floating_point_operations}});
  for (int count = 0; std::cin >> count;) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) times.push_back(training.step_seconds());
    say({{"seconds", times},
         {"gemm_gflops", training.gemm_rate()},
         {"peak_mb", megabytes(observe::peak_resident_bytes())}});
  }
}

}  // namespace

void add_benchmark_step(CLI::App& parent) {
  CLI::App* command =
      parent.add_subcommand("step", "The training step of an experiment, on random tokens, in this process");
  auto options = std::make_shared<StepOptions>();
  options->config = add_config_options(*command);
  command->add_option("--repeats", options->repeats, "Steps that are measured; the median is printed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--warm_up", options->warm_up, "Steps before them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag(
      "--blocks", options->blocks,
      "Read numbers of steps from stdin, answer each with a line of JSON (bench/peers/compare.py)");
  command->callback([command, options] {
    MeasuredTraining training(*options, command->remaining());
    options->blocks ? serve_blocks(training) : measure(training, *options);
  });
}

}  // namespace primus::cli
