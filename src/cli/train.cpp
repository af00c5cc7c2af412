#include <ATen/Parallel.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "cli/commands.h"
#include "cli/config_options.h"
#include "config/print.h"
#include "config/validate.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/signals.h"
#include "kernels/cpu/allocator.h"
#include "kernels/cpu/features.h"
#include "launch/cpus.h"
#include "launch/world.h"
#include "parallel/layout_arguments.h"
#include "train/run_directory.h"
#include "train/run_lock.h"
#include "train/settings.h"
#include "train/trainer.h"

namespace primus::cli {

namespace {

struct TrainOptions {
  std::shared_ptr<ConfigOptions> config;
  std::string export_config;
  std::vector<std::string> for_python;  ///< --data_path and --backend_path: accepted, without meaning here
};

LogOptions log_options_from(const config::Experiment& experiment, const launch::World& world) {
  const config::Arguments& arguments = experiment.arguments;
  LogOptions options;
  options.rank = world.rank;
  options.world_size = world.size;
  options.module = experiment.module;
  options.user = experiment.user_name;
  options.team = experiment.work_group;
  options.console_level = parse_log_level(arguments.get<"stderr_sink_level">());
  options.file_level = parse_log_level(arguments.get<"file_sink_level">());
  if (const auto level = arguments.get<"sink_level">()) {
    options.console_level = options.file_level = parse_log_level(*level);
  }
  if (const char* const wanted = std::getenv("PRIMUS_LOG_LEVEL")) {
    options.console_level = std::min(options.console_level, parse_log_level(wanted));
  }
  return options;
}

void print_result(const train::TrainResult& result) {
  std::string text =
      fmt::format("Training completed at iteration {}{}.\n", result.iteration,
                  result.non_finite_losses == 0
                      ? ""
                      : fmt::format("; the loss of {} iteration{} was NaN or infinite",
                                    result.non_finite_losses, result.non_finite_losses == 1 ? "" : "s"));
  if (result.validation_loss) {
    text += fmt::format("Validation loss: {:.4f} nats per token.\n", *result.validation_loss);
  }
  if (!result.checkpoints.empty()) text += fmt::format("Checkpoints: {}\n", result.checkpoints);
  std::fputs(text.c_str(), stdout);
}

/// Our launcher and torchrun set OMP_NUM_THREADS; srun and mpirun do not, and then every rank would use all
/// cores.
void share_cores(const launch::World& world) {
  if (world.local_size == 1 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const int online = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  at::set_num_threads(launch::threads_for_rank(world.local_size, launch::available_cpus(), online));
}

/// Meets the other ranks of the run, which must have been started with the same configuration.
parallel::Mesh join(const config::Arguments& arguments, const std::string& fingerprint,
                    const launch::World& world, Logger& logger) {
  const parallel::LayoutSizes sizes = parallel::layout_sizes_from(arguments, world.size);
  parallel::JoinOptions options = parallel::join_options_from(arguments, fingerprint);
  options.on_wait = [&logger](const std::string& text) { logger.warning(text); };
  return parallel::Mesh(parallel::Communicator::join(world, options), sizes);
}

void run_training(config::Experiment& experiment, const launch::World& world, Logger& logger) {
  const bool speaks = world.rank == 0;
  for (const std::string& warning : experiment.warnings) {
    if (speaks) logger.warning(warning);
  }
  const config::RunContext context = config::RunContext::of(experiment, world.size);
  config::DerivedArguments derived = config::arguments_for_training(experiment, context);
  for (const std::string& note : derived.notes) {
    if (speaks) logger.info(note);
  }
  train::check_settings(derived.arguments, world.size);
  const std::string fingerprint = checksum(to_yaml(config::resolved_tree(experiment)));
  experiment.arguments = std::move(derived.arguments);
  kernels::cpu::install_caching_allocator();
  if (speaks) logger.info(kernels::cpu::describe_cpu());
  const parallel::Mesh mesh = join(experiment.arguments, fingerprint, world, logger);
  const train::RunLock lock({experiment.root_directory}, experiment.arguments.get<"save">().has_value(),
                            mesh);
  if (speaks && !lock.warning().empty()) logger.warning(lock.warning());
  train::Trainer trainer(experiment, mesh, logger);
  const train::TrainResult result = trainer.run();
  if (speaks) print_result(result);
}

/// What ends a run belongs in the log files of its rank, too, even when that is all the run leaves.
void keep_failure(const Failure& failure, const config::Experiment& experiment, const launch::World& world,
                  Logger& logger) {
  logger.log_to_files(LogLevel::error, failure.message);
  if (logger.has_files()) return;
  try {
    const train::RunDirectory directory{experiment.root_directory};
    logger.open_files(directory.logs(experiment.module, world.rank));
  } catch (const Error&) {  // The failure itself is what the user must hear of.
  }
}

void pretrain(const TrainOptions& options, const std::vector<std::string>& tokens) {
  ignore_pipe_signal();
  std::vector<config::Problem> problems;
  config::Experiment experiment = config::resolve(options.config->request(tokens), problems);
  for (const std::string& word : options.for_python)
    experiment.warnings.push_back(
        fmt::format("command line: '{}' has no effect: --data_path and --backend_path "
                    "are options of the Python program (set the argument with data_path=...)",
                    word));
  for (const auto& [name, value] : experiment.environment)
    ::setenv(name.c_str(), value.c_str(), /*overwrite=*/1);

  const launch::World world = launch::world_from_environment();
  share_cores(world);
  Logger logger(log_options_from(experiment, world));
  try {
    config::throw_if_any(problems);
    if (!options.export_config.empty()) {
      write_file_atomically(options.export_config, to_yaml(config::resolved_tree(experiment)));
    }
    run_training(experiment, world, logger);
  } catch (...) {
    keep_failure(current_failure(), experiment, world, logger);
    throw;
  }
}

/// Known from the original; who types it shall learn why it is not here.
void add_posttrain(CLI::App& command) {
  command.add_subcommand("posttrain", "Refused: supervised fine-tuning is outside the scope of this engine")
      ->allow_extras()
      ->callback([] {
        throw UserError(
            "train posttrain: supervised fine-tuning is outside the scope of this engine. To go on from a "
            "checkpoint "
            "on plain "
            "text, use train pretrain with 'load' and 'finetune: true'");
      });
}

}  // namespace

void add_train(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a model");
  command->require_subcommand(1);
  CLI::App* pretrain_command = command->add_subcommand("pretrain", "Pre-train from an experiment file");
  auto options = std::make_shared<TrainOptions>();
  options->config = add_config_options(*pretrain_command);
  pretrain_command
      ->add_option("--export_config", options->export_config, "Write the resolved configuration to this file")
      ->type_name("FILE");
  for (const char* name : {"--data_path", "--backend_path"}) {
    pretrain_command
        ->add_option(name, options->for_python, "Accepted, has no effect: only the Python program needs it")
        ->expected(0, 1);
  }
  pretrain_command->callback(
      [pretrain_command, options] { pretrain(*options, pretrain_command->remaining()); });
  add_posttrain(*command);
}

}  // namespace primus::cli
