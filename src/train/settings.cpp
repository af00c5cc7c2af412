#include "train/settings.h"

#include "config/derive.h"
#include "core/error.h"
#include "core/signals.h"
#include "model/transformer_config.h"
#include "optimizer/data_parallel_arguments.h"
#include "optimizer/optimizer_config.h"
#include "parallel/layout_arguments.h"
#include "tokenizer/tokenizer_arguments.h"

namespace primus::train {

namespace {

std::optional<BatchRampUp> ramp_up_from(const config::Arguments& arguments) {
  const std::vector<std::int64_t> numbers = arguments.get<"rampup_batch_size">();
  if (numbers.empty()) return std::nullopt;
  const Where where = arguments.where<"rampup_batch_size">();
  if (numbers.size() != 3) {
    throw UserError(where, "rampup_batch_size takes three numbers: [start size, increment, samples]");
  }
  if (!arguments.get<"train_samples">()) {
    throw UserError(where, "rampup_batch_size needs train_samples instead of train_iters");
  }
  return BatchRampUp{numbers[0], numbers[1], numbers[2]};
}

void check_length(const config::Arguments& arguments) {
  const auto iterations = arguments.get<"train_iters">();
  const auto samples = arguments.get<"train_samples">();
  const Where where = arguments.where<"train_samples", "train_iters">();
  if (iterations && samples)
    throw UserError(where, "train_iters and train_samples are both set: set one of them to null");
  if (!iterations && !samples) {
    throw UserError(where, "the run has no length: set train_iters or train_samples");
  }
}

}  // namespace

LoopSettings loop_settings_from(const config::Arguments& arguments) {
  check_length(arguments);
  LoopSettings settings;
  settings.seed = static_cast<std::uint64_t>(arguments.get<"seed">());
  settings.batch.micro_batch_size = arguments.get<"micro_batch_size">();
  settings.batch.global_batch_size = arguments.get<"global_batch_size">();
  settings.batch.ramp_up = ramp_up_from(arguments);
  settings.batch.decrease_if_needed = arguments.get<"decrease_batch_size_if_needed">();
  settings.seq_length = arguments.get<"seq_length">();
  settings.train_iters = arguments.get<"train_iters">();
  settings.train_samples = arguments.get<"train_samples">();
  settings.eval_iters = arguments.get<"eval_iters">();
  settings.eval_interval = arguments.get<"eval_interval">();
  settings.full_validation = arguments.get<"full_validation">();
  settings.skip_train = arguments.get<"skip_train">();
  settings.iterations_to_skip = arguments.get<"iterations_to_skip">();
  settings.calculate_per_token_loss = arguments.get<"calculate_per_token_loss">();
  settings.check_for_nan_in_loss = arguments.get<"check_for_nan_in_loss_and_grad">();
  settings.log_interval = arguments.get<"log_interval">();
  settings.log_throughput = arguments.get<"log_throughput">();
  settings.log_params_norm = arguments.get<"log_params_norm">();
  settings.log_num_zeros_in_grad = arguments.get<"log_num_zeros_in_grad">();
  settings.dataloader_type = arguments.get<"dataloader_type">().value_or("single");
  settings.data_sharding = arguments.get<"data_sharding">();
  settings.num_workers = arguments.get<"num_workers">();
  return settings;
}

ResumeSettings resume_settings_from(const config::Arguments& arguments) {
  ResumeSettings settings;
  settings.skip_train = arguments.get<"skip_train">();
  settings.save = arguments.get<"save">().has_value() && !settings.skip_train;
  settings.save_interval = arguments.get<"save_interval">();
  settings.save_retain_interval = arguments.get<"save_retain_interval">();
  settings.disable_last_saving = arguments.get<"disable_last_saving">();
  settings.no_save_optim = arguments.get<"no_save_optim">();
  settings.load = arguments.get<"load">().value_or("");
  settings.load_where = arguments.where<"load">();
  settings.ckpt_step = arguments.get<"ckpt_step">();
  settings.auto_continue_train = arguments.get<"auto_continue_train">();
  settings.finetune = arguments.get<"finetune">();
  settings.no_load_optim = arguments.get<"no_load_optim">();
  settings.exit_on_missing_checkpoint = arguments.get<"exit_on_missing_checkpoint">();
  return settings;
}

StopSettings stop_settings_from(const config::Arguments& arguments, std::int64_t train_iters) {
  StopSettings settings;
  settings.train_iters = train_iters;
  if (arguments.get<"save">() && !arguments.get<"skip_train">())
    settings.save_interval = arguments.get<"save_interval">();
  settings.exit_interval = arguments.get<"exit_interval">();
  if (const auto minutes = arguments.get<"exit_duration_in_mins">()) {
    settings.exit_duration_in_mins = static_cast<double>(*minutes);
  }
  settings.disable_last_saving = arguments.get<"disable_last_saving">();
  settings.exit_signal = signal_named(arguments.get<"exit_signal">());
  return settings;
}

void check_settings(const config::Arguments& arguments, int world_size) {
  const parallel::LayoutSizes sizes = parallel::layout_sizes_from(arguments, world_size);
  parallel::join_options_from(arguments, "");
  const LoopSettings loop = loop_settings_from(arguments);
  const MicrobatchCalculator batch =
      blame(arguments.where<"global_batch_size", "micro_batch_size", "rampup_batch_size">(),
            [&] { return MicrobatchCalculator(loop.batch, sizes.data()); });
  const std::int64_t train_iters =
      loop.train_iters ? *loop.train_iters : batch.iterations_for(*loop.train_samples);
  resume_settings_from(arguments);
  stop_settings_from(arguments, train_iters);
  tokenizer::check(arguments);
  const std::int64_t vocabulary = config::null_tokenizer_size(arguments).value_or(1);
  const model::TransformerConfig model = model::transformer_config_from(arguments, vocabulary);
  blame(arguments.where<"tensor_model_parallel_size", "num_query_groups", "ffn_hidden_size">(),
        [&] { model::check_shared_by(model, sizes.tensor); });
  optimizer::data_parallel_config_from(arguments, {});
  optimizer::optimizer_config_from(arguments);
  optimizer::scheduler_config_from(arguments, batch.final_global_batch_size(), train_iters);
}

}  // namespace primus::train
