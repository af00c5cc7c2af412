#include "train/resume.h"

#include <fmt/ranges.h>

#include <cmath>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "checkpoint/writer.h"
#include "core/error.h"
#include "parallel/tensor_piece.h"
#include "tokenizer/options_json.h"

namespace primus::train {

namespace {

/// Whether the run has saved since it began, and was started again after that.
bool saved_before_restart(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  if (!settings.restarted_run_began) return false;
  std::error_code missing;
  const auto saved = std::filesystem::last_write_time(checkpoint::tracker_file(own_folder), missing);
  return !missing && std::chrono::file_clock::to_sys(saved) >= *settings.restarted_run_began;
}

LoadPlan plan_of(const checkpoint::Location& location, std::string decision) {
  LoadPlan plan{.directory = location.path, .iteration = location.iteration};
  if (!location.note.empty()) plan.messages.push_back(location.note);
  plan.messages.push_back(std::move(decision));
  return plan;
}

void take_weights_only(LoadPlan& plan, const char* why) {
  plan.weights_only = true;
  plan.optimizer = false;
  plan.messages.push_back(fmt::format("{}: only weights are loaded, and the run starts at iteration 0", why));
}

constexpr const char* is_a_release = "it is a release, which has no training state";

std::optional<LoadPlan> plan_own(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  if (!settings.auto_continue_train && !saved_before_restart(settings, own_folder)) return std::nullopt;
  const auto location = checkpoint::find_checkpoint(own_folder);
  if (!location) return std::nullopt;
  const char* why = settings.auto_continue_train ? "auto_continue_train" : "restarted";
  LoadPlan plan = plan_of(*location, fmt::format("continues from {} [{}]", location->path.string(), why));
  if (!settings.load.empty())
    plan.messages.push_back(fmt::format("load: {} is ignored [{}]", settings.load, why));
  if (settings.finetune)
    plan.messages.push_back(fmt::format("finetune: true is ignored: training state is loaded too [{}]", why));
  if (settings.no_load_optim)
    plan.messages.push_back(
        fmt::format("no_load_optim: true is ignored: optimizer states are loaded [{}]", why));
  if (location->release) take_weights_only(plan, is_a_release);
  return plan;
}

std::optional<LoadPlan> plan_given(const ResumeSettings& settings) {
  if (settings.load.empty()) return std::nullopt;
  const auto location = blame(settings.load_where,
                              [&] { return checkpoint::find_checkpoint(settings.load, settings.ckpt_step); });
  if (!location) {
    if (!settings.exit_on_missing_checkpoint) return std::nullopt;
    throw UserError(
        settings.load_where,
        fmt::format(
            "load: {} holds no checkpoint (no {}): correct the path, or set exit_on_missing_checkpoint "
            "to false to start from random weights",
            settings.load, checkpoint::tracker_file(settings.load).filename().string()));
  }
  LoadPlan plan = plan_of(*location, fmt::format("loads {}", location->path.string()));
  plan.optimizer = !settings.no_load_optim;
  if (settings.finetune) {
    take_weights_only(plan, "finetune is true");
  } else if (location->release) {
    take_weights_only(plan, is_a_release);
  }
  return plan;
}

/// The checkpoints of an earlier run, its metrics and its configuration belong together: a run that starts at
/// iteration 0 would overwrite the metrics and the configuration even where it saves nothing.
void check_own_folder(const ResumeSettings& settings, const std::filesystem::path& own_folder,
                      std::optional<LoadPlan>& plan) {
  const bool from_zero = !plan || plan->weights_only;
  std::vector<std::string> newer;
  for (const checkpoint::Location& there : checkpoint::list_checkpoints(own_folder)) {
    if (!there.release && (from_zero || there.iteration > plan->iteration))
      newer.push_back(there.path.filename().string());
  }
  if (newer.empty()) return;
  const std::string names = fmt::format("{}", fmt::join(newer, ", "));
  if (from_zero) {
    throw_user_error(
        "{} holds checkpoints of an earlier run ({}), and this run would start at iteration 0{} and "
        "overwrite "
        "what that run has written: set auto_continue_train: true to continue from them, or take another "
        "exp_name, or remove the folder {}",
        own_folder.string(), names, plan ? " with the weights of " + plan->directory.string() : "",
        own_folder.parent_path().string());
  }
  if (settings.save && settings.save_interval) {
    plan->messages.push_back(
        fmt::format("newer checkpoints in {} will be overwritten when the run reaches them: {}",
                    own_folder.string(), names));
  } else if (!settings.skip_train) {
    throw_user_error(
        "{} holds newer checkpoints ({}) than {}, and this run, which saves none, would overwrite the "
        "metrics "
        "of the iterations in between: take another exp_name, or set save to overwrite the checkpoints too",
        own_folder.string(), names, plan->directory.string());
  }
}

const std::string main_weight_prefix = "optimizer.state.fp32_param.";

/// What the names of a checkpoint's tensors tell of its optimizer; empty without optimizer state.
std::string optimizer_of(const checkpoint::Checkpoint& checkpoint) {
  const auto has = [&](const std::string& prefix) {
    const auto found = checkpoint.index().tensors.lower_bound(prefix);
    return found != checkpoint.index().tensors.end() && found->first.starts_with(prefix);
  };
  if (has("optimizer.state.exp_avg_sq.")) return "adam";
  return has("optimizer.state.momentum_buffer.") ? "sgd" : "";
}

void check_optimizer(const checkpoint::Checkpoint& checkpoint, const Trained& trained) {
  const bool adam = trained.replica.optimizer().config().kind == optimizer::OptimizerConfig::Kind::adam;
  const std::string there = optimizer_of(checkpoint), here = adam ? "adam" : "sgd";
  if (there == here) return;
  throw_user_error(
      "{}: the checkpoint {}, and this run uses {}. {}To start over from its weights with {}, set load "
      "to "
      "its folder, auto_continue_train: false, no_load_optim: true and another exp_name",
      checkpoint.path().string(),
      there.empty() ? "was saved without the optimizer's state" : "holds the optimizer state of " + there,
      here, there.empty() ? "" : fmt::format("To continue, set optimizer: {}. ", there), here);
}

/// fp32 weights are their own main weights, those of bf16 stand beside the weights: takes each from where the
/// checkpoint has it.
std::vector<parallel::TensorPiece> pieces_to_load(const checkpoint::Checkpoint& checkpoint,
                                                  const Trained& trained, bool with_optimizer) {
  auto pieces = trained.replica.pieces(with_optimizer);
  if (!with_optimizer) return pieces;
  for (parallel::TensorPiece& piece : pieces) {
    const bool is_main = piece.name.starts_with(main_weight_prefix);
    if (is_main && !checkpoint.contains(piece.name)) {
      piece.name = piece.name.substr(main_weight_prefix.size());
    } else if (piece.dtype() == at::kFloat && checkpoint.contains(main_weight_prefix + piece.name)) {
      piece.name = main_weight_prefix + piece.name;
    }
  }
  return pieces;
}

/// Megatron-Core fills the rows that a checkpoint lacks (`allow_shape_mismatch`) with zeros, and its softmax
/// goes over the rows of padding as well.
std::string padding_note(std::int64_t saved, const model::TransformerConfig& ours, int tensor_parallel_size) {
  const std::int64_t rows = ours.padded_vocab_size;
  if (saved == rows) return "";
  std::string note = fmt::format(
      "the vocabulary of {} is padded to {} rows in the checkpoint and to {} in this run: ", ours.vocab_size,
      saved, rows);
  if (rows < saved) {
    note += fmt::format(
        "{} rows of padding are left out, and the loss begins lower, since the softmax has fewer terms",
        saved - rows);
  } else {
    note += fmt::format(
        "{} rows of zeros are added, as Megatron-Core does. Their logits are 0 until training has lowered "
        "them, so the softmax has {} more terms of exp(0), and the loss begins higher (by ln({}/{}) = {:.4f} "
        "if the other logits are near 0 as well)",
        rows - saved, rows - saved, rows, saved,
        std::log(static_cast<double>(rows) / static_cast<double>(saved)));
  }
  if (saved % tensor_parallel_size == 0)
    note += fmt::format(". make_vocab_size_divisible_by: {} keeps the checkpoint's rows",
                        saved / tensor_parallel_size);
  return note;
}

/// Sets the run and its schedule to where the checkpoint was saved.
void load_course(const checkpoint::Checkpoint& checkpoint, const LoadPlan& plan, const Trained& trained,
                 Loaded& loaded) {
  const nlohmann::json& common = checkpoint.common();
  try {
    loaded.state.iteration = common.at("iteration");
    loaded.state.consumed_train_samples = common.at("consumed_train_samples");
    loaded.state.skipped_train_samples = common.at("skipped_train_samples");
    loaded.state.consumed_valid_samples = common.at("consumed_valid_samples");
    if (plan.optimizer) trained.replica.optimizer().set_steps(common.at("optimizer_steps"));
    const nlohmann::json& schedule = common.at("opt_param_scheduler");
    loaded.schedule = trained.scheduler.differences(schedule);
    trained.scheduler.load(schedule);
    loaded.run = common.value("run", nlohmann::json());
  } catch (const nlohmann::json::exception&) {
    throw_user_error("{}: cannot continue from it: its training state is incomplete or damaged",
                     (plan.directory / checkpoint::common_file).string());
  }
}

}  // namespace

std::optional<LoadPlan> plan_load(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  auto plan = plan_own(settings, own_folder);
  if (!plan) plan = plan_given(settings);
  check_own_folder(settings, own_folder, plan);
  return plan;
}

Loaded load_checkpoint(const LoadPlan& plan, const Trained& trained) {
  const checkpoint::Checkpoint checkpoint(plan.directory);
  const model::TransformerConfig theirs = checkpoint.architecture();
  model::require_same(theirs, trained.replica.config(), plan.directory.string());
  if (plan.optimizer) check_optimizer(checkpoint, trained);
  Loaded loaded;
  const std::string padding = padding_note(theirs.padded_vocab_size, trained.replica.config(),
                                           trained.replica.mesh().tensor().size());
  if (!padding.empty()) loaded.messages.push_back(padding);
  try {
    checkpoint.load(pieces_to_load(checkpoint, trained, plan.optimizer));
  } catch (const UserError& error) {
    throw_user_error(
        "{}. To continue from an older checkpoint, move {} away and write the older one's iteration into {}",
        error.what(), plan.directory.string(),
        checkpoint::tracker_file(plan.directory.parent_path()).filename().string());
  }
  if (!plan.optimizer) trained.replica.optimizer().reload_main_weights();
  if (!plan.weights_only) load_course(checkpoint, plan, trained, loaded);
  return loaded;
}

void save_checkpoint(const std::filesystem::path& folder, const RunState& state, const Trained& trained,
                     const SaveOptions& options) {
  const nlohmann::json common = {
      {"iteration", state.iteration},
      {"consumed_train_samples", state.consumed_train_samples},
      {"skipped_train_samples", state.skipped_train_samples},
      {"consumed_valid_samples", state.consumed_valid_samples},
      {"optimizer_steps", trained.replica.optimizer().steps()},
      {"opt_param_scheduler", trained.scheduler.state()},
      {"tokenizer", tokenizer::to_json(options.tokenizer)},
      {"run", options.run},
      {"architecture", nlohmann::json::parse(model::to_json(trained.replica.config()))}};
  const parallel::Group& world = trained.replica.mesh().world();
  const checkpoint::Participants participants{
      .rank = world.rank(), .world_size = world.size(), .barrier = [&world] { world.barrier(); }};
  checkpoint::save(checkpoint::iteration_directory(folder, state.iteration),
                   trained.replica.pieces(options.with_optimizer), common, participants);
}

}  // namespace primus::train
