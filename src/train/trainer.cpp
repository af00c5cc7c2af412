#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <source_location>

#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "config/experiment.h"
#include "config/print.h"
#include "core/error.h"
#include "core/file.h"
#include "core/signals.h"
#include "data/data_arguments.h"
#include "data/loader.h"
#include "kernels/cpu/allocator.h"
#include "model/analysis.h"
#include "optimizer/data_parallel_arguments.h"
#include "optimizer/optimizer_config.h"
#include "tokenizer/tokenizer_arguments.h"
#include "train/recorder.h"
#include "train/replica.h"
#include "train/resume.h"
#include "train/run_identity.h"
#include "train/schedule_changes.h"

namespace primus::train {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::int64_t iterations_of(const LoopSettings& settings, const MicrobatchCalculator& batch) {
  return settings.train_iters ? *settings.train_iters : batch.iterations_for(*settings.train_samples);
}

}  // namespace

/// Everything a run consists of, built in the order in which one part needs another.
struct Trainer::State {
  State(const config::Experiment& experiment_in, const parallel::Mesh& mesh_in, Logger& logger_in);

  TrainResult run();
  /// One iteration: batch, forward, backward, update. Nothing is recorded.
  IterationRecord train_step();
  StepSize step_size() const;

 private:
  std::unique_ptr<data::DataLoader> make_loader(const data::Dataset& dataset, const std::string& type,
                                                std::int64_t consumed) const;
  /// For the log: what every rank would say alike is rank 0's to say.
  void say(const std::string& text, LogLevel level = LogLevel::info,
           const std::source_location& at = std::source_location::current()) const {
    logger.log(mesh.world().rank() == 0 ? level : LogLevel::debug, text, at);
  }
  data::Datasets build_datasets() const;
  void start_data();
  /// Against the run that saved the checkpoint from which this one continues.
  void report_changes(const Loaded& loaded) const;
  void report_model() const;
  void open_run_directory();

  StepBatch next_batch() const;
  void train_iteration();
  void skip_iteration(std::int64_t batch_size);
  /// Nothing when a signal or the time limit has ended it.
  std::optional<LossSums> evaluate_split(const data::Dataset& dataset, std::int64_t consumed,
                                         const std::string& where);
  /// `split` is "valid" or "test".
  void evaluate(const std::string& split, const std::string& where);
  void save();
  /// What all ranks know together, so that all come to the same decision.
  Progress progress() const;
  /// Saves and says what was decided; returns whether the run ends.
  bool follow(const StopDecision& decision);
  bool is_skipped(std::int64_t iteration) const;

  const config::Experiment& experiment;
  const config::Arguments& arguments;
  parallel::Mesh mesh;
  Logger& logger;

  RunDirectory directory;
  LoopSettings settings;
  ResumeSettings resume;
  MicrobatchCalculator batch;
  std::int64_t train_iters;
  StopSettings stop;
  /// From before the data is prepared, which may take long: a warning then must not end the process.
  SaveSignals save_signals;

  // Before the model, so that what is wrong with the data is said at once.
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  data::BatchOptions batch_options;
  data::DataConfig data_config;
  data::Datasets datasets;

  Replica replica;
  optimizer::OptimizerParamScheduler scheduler;
  Trained trained;

  std::unique_ptr<data::DataLoader> train_loader;
  std::unique_ptr<Recorder> recorder;

  RunState state;
  /// Kept in checkpoints; see train/run_identity.h.
  nlohmann::json identity;
  Clock::time_point began;
  std::optional<StopSignals> stop_signals;
  std::int64_t last_saved = -1;
  /// The last loss and gradient norm when one of them was NaN or infinite; empty otherwise.
  std::string divergence;
  int answered_save_requests = 0;
  std::optional<double> validation_loss;
};

namespace {

ReplicaOptions replica_options(const config::Arguments& arguments, const LoopSettings& settings,
                               std::int64_t vocab_size, const parallel::Mesh& mesh) {
  const optimizer::LossNormalization normalization = {
      .calculate_per_token_loss = settings.calculate_per_token_loss, .ranks = mesh.data_context().size()};
  const model::TransformerConfig model = model::transformer_config_from(arguments, vocab_size);
  return {.model = model,
          .chunks = {model::ChunkSpec::whole(model)},
          .data_parallel = optimizer::data_parallel_config_from(arguments, normalization),
          .optimizer = optimizer::optimizer_config_from(arguments),
          .normalization = normalization,
          .check_for_nan_in_loss = settings.check_for_nan_in_loss};
}

}  // namespace

Trainer::State::State(const config::Experiment& experiment_in, const parallel::Mesh& mesh_in,
                      Logger& logger_in)
    : experiment(experiment_in),
      arguments(experiment_in.arguments),
      mesh(mesh_in),
      logger(logger_in),
      directory{experiment_in.root_directory},
      settings(loop_settings_from(arguments)),
      resume(resume_settings_from(arguments)),
      batch(settings.batch, mesh.data().size()),
      train_iters(iterations_of(settings, batch)),
      stop(stop_settings_from(arguments, train_iters)),
      save_signals(stop.exit_signal),
      tokenizer(tokenizer::make_tokenizer(arguments)),
      batch_options(data::batch_options_from(arguments, *tokenizer)),
      data_config(data::data_config_from(arguments, *tokenizer)),
      datasets(build_datasets()),
      replica(replica_options(arguments, settings, tokenizer->vocab_size(), mesh), mesh),
      scheduler(optimizer::scheduler_config_from(arguments, batch.final_global_batch_size(), train_iters)),
      trained{replica, scheduler} {
  if (mesh.communicator()) resume.restarted_run_began = mesh.communicator()->world().restarted_run_began;
  const auto plan = plan_load(resume, directory.checkpoints());
  Loaded loaded;
  if (plan) {
    for (const std::string& message : plan->messages) say(message, LogLevel::warning);
    loaded = load_checkpoint(*plan, trained);
    for (const std::string& message : loaded.messages) say(message, LogLevel::warning);
    state = loaded.state;
    // A rank rounds the main weights of its part; the other parts come from their ranks, not from the file.
    if (plan->optimizer) replica.gather_weights();
    replica.wait_for_weights();
    if (!plan->weights_only) last_saved = state.iteration;
  } else {
    if (!resume.load.empty())
      say(fmt::format("load: {} holds no checkpoint: the run starts from random weights", resume.load),
          LogLevel::warning);
    replica.initialize();
  }
  kernels::cpu::release_cached_memory();  // the parameters' first tensors, before the buffer held them
  report_model();
  identity = run_identity({.arguments = arguments,
                           .data = data_config,
                           .datasets = datasets,
                           .tokenizer = tokenizer::tokenizer_options_from(arguments),
                           .data_parallel_size = mesh.data().size()});
  start_data();
  if (plan && !plan->weights_only) report_changes(loaded);
}

void Trainer::State::report_changes(const Loaded& loaded) const {
  if (!loaded.run.is_object()) say("the checkpoint does not say with which data and settings it was trained");
  const ScheduleChanges schedule{loaded.schedule, scheduler.config().use_checkpoint};
  for (const std::string& change : changes(loaded.run, identity, state, schedule))
    say(change, LogLevel::warning);
  if (!settings.skip_train && state.iteration >= train_iters) {
    say(fmt::format(
            "nothing is left to train: the checkpoint is at iteration {}, and the run ends at {}; set "
            "train_iters (or train_samples) higher to go on",
            state.iteration, train_iters),
        LogLevel::warning);
  }
}

std::unique_ptr<data::DataLoader> Trainer::State::make_loader(const data::Dataset& dataset,
                                                              const std::string& type,
                                                              std::int64_t consumed) const {
  const data::SamplerOptions options{.total_samples = dataset.size(),
                                     .consumed_samples = consumed,
                                     .micro_batch_size = batch.micro_batch_size(),
                                     .data_parallel_rank = mesh.data().rank(),
                                     .data_parallel_size = mesh.data().size(),
                                     .data_sharding = settings.data_sharding};
  constexpr std::size_t prefetch_with_workers = 4;
  return std::make_unique<data::DataLoader>(dataset, data::make_sampler(type, options), batch_options,
                                            settings.num_workers > 0 ? prefetch_with_workers : 0);
}

data::Datasets Trainer::State::build_datasets() const {
  const std::int64_t batch_size = batch.final_global_batch_size();
  const std::int64_t train_samples = settings.train_samples.value_or(train_iters * batch_size);
  data::SplitSizes sizes =
      data::split_sizes(train_samples, train_iters, settings.eval_interval.value_or(train_iters),
                        settings.eval_iters, batch_size);
  if (settings.full_validation) sizes.valid = sizes.test = std::nullopt;
  data::check(data_config);
  if (!settings.skip_train && sizes.train != 0) data::check_has_training_split(data_config);
  return data::build_datasets(data_config, sizes);
}

void Trainer::State::start_data() {
  if (settings.skip_train || state.iteration >= train_iters) return;
  if (settings.dataloader_type == "cyclic" && settings.data_sharding && mesh.data().size() > 1) {
    say("dataloader_type cyclic with data_sharding: batches depend on the number of data-parallel ranks; "
        "with dataloader_type single they do not");
  }
  train_loader = make_loader(*datasets.train, settings.dataloader_type, state.consumed_train_samples);
}

void Trainer::State::report_model() const {
  say(fmt::format(
      " > padded vocab (size: {}) with {} dummy tokens (new size: {})", replica.config().vocab_size,
      replica.config().padded_vocab_size - replica.config().vocab_size, replica.config().padded_vocab_size));
  say(fmt::format("number of parameters: {}", model::parameter_count(replica.config())));
}

void Trainer::State::open_run_directory() {
  make_directories(directory.root);
  logger.open_files(directory.logs(experiment.module, mesh.world().rank()));
  // An evaluation of what an earlier run has saved adds to that run's files, and replaces none.
  const bool visits = settings.skip_train && !checkpoint::list_checkpoints(directory.checkpoints()).empty();
  if (mesh.world().rank() == 0 && !visits) {
    write_file_atomically(directory.resolved_config(), config::to_yaml(config::resolved_tree(experiment)) +
                                                           config::derived_comment(arguments));
  }
  const observe::TrainingLogOptions options{
      .log_interval = settings.log_interval,
      .train_iters = train_iters,
      .log_throughput = settings.log_throughput,
      .average = {.log_avg_skip_iterations = arguments.get<"log_avg_skip_iterations">(),
                  .log_avg_reset_interval = arguments.get<"log_avg_reset_interval">(),
                  .seq_length = settings.seq_length,
                  .world_size = mesh.world().size()}};
  const std::int64_t last_kept = visits ? std::numeric_limits<std::int64_t>::max() : state.iteration;
  recorder = std::make_unique<Recorder>(options, directory, last_kept, mesh.world().rank(), logger);
}

bool Trainer::State::is_skipped(std::int64_t iteration) const {
  return std::find(settings.iterations_to_skip.begin(), settings.iterations_to_skip.end(), iteration) !=
         settings.iterations_to_skip.end();
}

void Trainer::State::skip_iteration(std::int64_t batch_size) {
  const auto start = Clock::now();
  for (std::int64_t m = 0; m < batch.num_microbatches(state.consumed_train_samples); ++m)
    train_loader->next();
  ++state.iteration;
  state.consumed_train_samples += batch_size;
  state.skipped_train_samples += batch_size;
  recorder->iteration({.iteration = state.iteration,
                       .consumed_samples = state.consumed_train_samples,
                       .skipped_samples = state.skipped_train_samples,
                       .global_batch_size = batch_size,
                       .learning_rate = scheduler.learning_rate(),
                       .seconds = seconds_since(start)});
}

void Trainer::State::train_iteration() {
  if (is_skipped(state.iteration + 1))
    return skip_iteration(batch.global_batch_size(state.consumed_train_samples));
  const IterationRecord record = train_step();
  const double loss = record.lm_loss.value(), norm = record.grad_norm.value();
  divergence = std::isfinite(loss) && std::isfinite(norm)
                   ? ""
                   : fmt::format("iteration {} had the loss {} and the gradient norm {}", record.iteration,
                                 loss, norm);
  recorder->iteration(record);
}

StepBatch Trainer::State::next_batch() const {
  return fetch(*train_loader, state.iteration + 1,
               {.num_microbatches = batch.num_microbatches(state.consumed_train_samples),
                .micro_batch_size = batch.micro_batch_size(),
                .data_parallel_rank = mesh.data().rank(),
                .data_parallel_size = mesh.data().size()},
               replica.device());
}

IterationRecord Trainer::State::train_step() {
  const std::int64_t batch_size = batch.global_batch_size(state.consumed_train_samples);
  const auto start = Clock::now();
  const LossSums sums = replica.forward_backward(next_batch());

  IterationRecord record{.global_batch_size = batch_size, .lm_loss = sums.mean()};
  record.learning_rate = scheduler.learning_rate();
  record.grad_norm =
      replica.optimizer().step({.learning_rate = record.learning_rate,
                                .decoupled_learning_rate = scheduler.decoupled_learning_rate(),
                                .weight_decay = scheduler.weight_decay(),
                                .gradient_scale = replica.normalization().gradient_scale(sums.tokens),
                                .iteration = state.iteration + 1});
  // Before the gather, which goes on in the background: main weights are read from the weights' memory.
  if (settings.log_params_norm) record.params_norm = replica.optimizer().params_norm();
  replica.gather_weights();
  if (settings.log_num_zeros_in_grad) record.num_zeros = replica.optimizer().num_zeros_in_grad();
  scheduler.step(batch_size);

  ++state.iteration;
  state.consumed_train_samples += batch_size;
  record.iteration = state.iteration;
  record.consumed_samples = state.consumed_train_samples;
  record.skipped_samples = state.skipped_train_samples;
  record.seconds = seconds_since(start);
  if (mesh.communicator()) record.traffic = mesh.communicator()->traffic().take();
  record.floating_point_operations =
      model::flops_per_iteration(replica.config(), batch_size, settings.seq_length);
  return record;
}

StepSize Trainer::State::step_size() const {
  const std::int64_t samples = batch.global_batch_size(state.consumed_train_samples);
  return {.model = replica.config(),
          .micro_batch_size = batch.micro_batch_size(),
          .seq_length = settings.seq_length,
          .tokens = samples * settings.seq_length,
          .floating_point_operations =
              model::flops_per_iteration(replica.config(), samples, settings.seq_length)};
}

std::optional<LossSums> Trainer::State::evaluate_split(const data::Dataset& dataset, std::int64_t consumed,
                                                       const std::string& where) {
  const bool whole = settings.full_validation;
  const auto loader =
      whole ? make_loader(dataset, "single", 0) : make_loader(dataset, settings.dataloader_type, consumed);
  const std::int64_t num_microbatches = whole
                                            ? dataset.size() / (batch.micro_batch_size() * mesh.data().size())
                                            : settings.eval_iters * batch.final_num_microbatches();
  const std::int64_t at_once = batch.final_num_microbatches();
  LossSums sums;
  for (std::int64_t done = 0; done < num_microbatches; done += at_once) {
    const StopDecision decision = decide_during_evaluation(stop, progress());
    if (decision.exit) {
      say(fmt::format("the evaluation at {} is abandoned after {} of {} iterations", where, done / at_once,
                      (num_microbatches + at_once - 1) / at_once),
          LogLevel::warning);
      return std::nullopt;
    }
    follow(decision);
    for (std::int64_t m = 0; m < std::min(at_once, num_microbatches - done); ++m) {
      const LossSums one = replica.evaluate(to_micro_batch(loader->next(), replica.device()));
      sums.loss += one.loss;
      sums.tokens += one.tokens;
    }
  }
  return sum_over(mesh.data_context(), sums);
}

void Trainer::State::evaluate(const std::string& split, const std::string& where) {
  const bool validates = split == "valid";
  const std::unique_ptr<data::Dataset>& dataset = validates ? datasets.valid : datasets.test;
  if (dataset == nullptr || !(settings.full_validation || settings.eval_iters > 0)) return;
  // An evaluation counts from its start, so that those after one that was abandoned are as they would have
  // been.
  const std::int64_t consumed = validates ? state.consumed_valid_samples : 0;
  if (validates) state.consumed_valid_samples += settings.eval_iters * batch.final_global_batch_size();
  const std::optional<LossSums> sums = evaluate_split(*dataset, consumed, where);
  if (!sums) return;
  if (sums->tokens == 0) {
    return say(fmt::format("no loss at {}: no token of the {} split was evaluated", where, split),
               LogLevel::warning);
  }
  if (validates) validation_loss = sums->mean();
  recorder->evaluation(state.iteration, split, where, sums->mean(), sums->tokens);
}

void Trainer::State::save() {
  replica.wait_for_weights();
  if (!divergence.empty()) {
    say(fmt::format("the checkpoint of iteration {} probably holds NaN: {}. Continue from an earlier one",
                    state.iteration, divergence),
        LogLevel::warning);
  }
  say(fmt::format("saving checkpoint at iteration {:7d} to {}", state.iteration,
                  directory.checkpoints().string()));
  save_checkpoint(directory.checkpoints(), state, trained,
                  {.with_optimizer = !resume.no_save_optim,
                   .tokenizer = tokenizer::tokenizer_options_from(arguments),
                   .run = identity});
  say(fmt::format("  successfully saved checkpoint from iteration {:7d} to {}", state.iteration,
                  directory.checkpoints().string()));
  if (mesh.world().rank() == 0 && resume.save_retain_interval && last_saved > 0 &&
      last_saved != state.iteration) {
    checkpoint::prune(directory.checkpoints(), last_saved, *resume.save_retain_interval);
  }
  last_saved = state.iteration;
}

Progress Trainer::State::progress() const {
  return agreed_progress(mesh.world(), {.iteration = state.iteration,
                                        .minutes = seconds_since(began) / 60,
                                        .signal = stop_signals->received(),
                                        .save_requests = save_signals.received(),
                                        .answered_save_requests = answered_save_requests});
}

bool Trainer::State::follow(const StopDecision& decision) {
  if (decision.save && last_saved != state.iteration) save();
  if (!decision.reason.empty()) say(decision.reason, LogLevel::warning);
  answered_save_requests = decision.save_requests;
  return decision.exit;
}

TrainResult Trainer::State::run() {
  stop_signals.emplace(stop.exit_signal);
  open_run_directory();
  began = Clock::now();
  bool exit_early = false;
  while (!settings.skip_train && state.iteration < train_iters && !exit_early) {
    if (mesh.communicator()) mesh.communicator()->heartbeat(fmt::format("iteration {}", state.iteration + 1));
    train_iteration();
    if (settings.eval_interval && state.iteration % *settings.eval_interval == 0 &&
        state.iteration < train_iters) {
      evaluate("valid", fmt::format("iteration {}", state.iteration));
    }
    exit_early = follow(decide_after_iteration(stop, progress()));
  }
  if (!exit_early) {
    if (owes_last_save(stop, state.iteration, last_saved)) save();
    evaluate("valid", fmt::format("iteration {} on validation set", state.iteration));
    evaluate("test", fmt::format("iteration {} on test set", state.iteration));
    follow(decide_during_evaluation(stop, progress()));
  }
  replica.wait_for_weights();  // the last gathers must not outlive the groups that they go through
  recorder->finish();
  return {.iteration = state.iteration,
          .validation_loss = validation_loss,
          .non_finite_losses = recorder->non_finite_losses(),
          .checkpoints = stop.save_interval ? directory.checkpoints().string() : ""};
}

Trainer::Trainer(const config::Experiment& experiment, const parallel::Mesh& mesh, Logger& logger)
    : state_(std::make_unique<State>(experiment, mesh, logger)) {}

Trainer::~Trainer() = default;

TrainResult Trainer::run() { return state_->run(); }

IterationRecord Trainer::train_step() { return state_->train_step(); }

StepSize Trainer::step_size() const { return state_->step_size(); }

}  // namespace primus::train
