#include "train/resume.h"

#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "checkpoint/writer.h"
#include "core/error.h"
#include "parallel/tensor_piece.h"
#include "tokenizer/options_json.h"

namespace primus::train {

namespace {

std::vector<parallel::TensorPiece> all_pieces(const Trained& trained, bool with_optimizer) {
  auto pieces = parallel::weight_pieces(trained.model.parameters(), trained.mesh);
  if (with_optimizer) {
    for (auto& piece : trained.optimizer.state_pieces()) pieces.push_back(std::move(piece));
  }
  return pieces;
}

/// Whether the run has saved since it began, and was started again after that.
bool saved_before_restart(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  if (!settings.restarted_run_began) return false;
  std::error_code missing;
  const auto saved = std::filesystem::last_write_time(checkpoint::tracker_file(own_folder), missing);
  return !missing && std::chrono::file_clock::to_sys(saved) >= *settings.restarted_run_began;
}

std::optional<LoadPlan> plan_own(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  if (!settings.auto_continue_train && !saved_before_restart(settings, own_folder)) return std::nullopt;
  const auto location = checkpoint::find_checkpoint(own_folder);
  if (!location) return std::nullopt;
  LoadPlan plan{.directory = location->path};
  const char* why = settings.auto_continue_train ? "auto_continue_train" : "restarted";
  plan.messages = {fmt::format("continues from {} [{}]", location->path.string(), why)};
  if (settings.finetune) plan.messages.push_back(fmt::format("finetune is set to false [{}]", why));
  if (settings.no_load_optim) plan.messages.push_back(fmt::format("no_load_optim is set to false [{}]", why));
  return plan;
}

std::optional<LoadPlan> plan_given(const ResumeSettings& settings) {
  if (settings.load.empty()) return std::nullopt;
  const auto location = checkpoint::find_checkpoint(settings.load, settings.ckpt_step);
  if (!location) {
    if (!settings.exit_on_missing_checkpoint) return std::nullopt;
    throw_user_error(
        "load: {} holds no checkpoint (no {}): correct the path, or set exit_on_missing_checkpoint to false "
        "to start "
        "from random weights",
        settings.load, checkpoint::tracker_file(settings.load).filename().string());
  }
  LoadPlan plan{.directory = location->path,
                .weights_only = settings.finetune || location->release,
                .optimizer = !settings.finetune && !location->release && !settings.no_load_optim};
  plan.messages = {fmt::format("loads {}", location->path.string())};
  if (settings.finetune) {
    plan.messages.emplace_back(
        "finetune is true: only weights are loaded, and the run starts at iteration 0");
  }
  return plan;
}

}  // namespace

std::optional<LoadPlan> plan_load(const ResumeSettings& settings, const std::filesystem::path& own_folder) {
  if (auto plan = plan_own(settings, own_folder)) return plan;
  return plan_given(settings);
}

RunState load_checkpoint(const LoadPlan& plan, const Trained& trained) {
  const checkpoint::Checkpoint checkpoint(plan.directory);
  checkpoint.check_architecture(nlohmann::json::parse(model::to_json(trained.model.config())));
  checkpoint.load(all_pieces(trained, plan.optimizer));
  if (!plan.optimizer) trained.optimizer.reload_main_weights();
  RunState state;
  if (plan.weights_only) return state;
  const nlohmann::json& common = checkpoint.common();
  try {
    state.iteration = common.at("iteration");
    state.consumed_train_samples = common.at("consumed_train_samples");
    state.skipped_train_samples = common.at("skipped_train_samples");
    state.consumed_valid_samples = common.at("consumed_valid_samples");
    if (plan.optimizer) trained.optimizer.set_steps(common.at("optimizer_steps"));
    trained.scheduler.load(common.at("opt_param_scheduler"));
  } catch (const nlohmann::json::exception& error) {
    throw UserError(fmt::format("{}: cannot be continued from: {}",
                                (plan.directory / checkpoint::common_file).string(), error.what()));
  }
  return state;
}

void save_checkpoint(const std::filesystem::path& folder, const RunState& state, const Trained& trained,
                     const SaveOptions& options) {
  const nlohmann::json common = {
      {"iteration", state.iteration},
      {"consumed_train_samples", state.consumed_train_samples},
      {"skipped_train_samples", state.skipped_train_samples},
      {"consumed_valid_samples", state.consumed_valid_samples},
      {"optimizer_steps", trained.optimizer.steps()},
      {"opt_param_scheduler", trained.scheduler.state()},
      {"tokenizer", tokenizer::to_json(options.tokenizer)},
      {"architecture", nlohmann::json::parse(model::to_json(trained.model.config()))}};
  const parallel::Group& world = trained.mesh.world();
  const checkpoint::Participants participants{
      .rank = world.rank(), .world_size = world.size(), .barrier = [&world] { world.barrier(); }};
  checkpoint::save(checkpoint::iteration_directory(folder, state.iteration),
                   all_pieces(trained, options.with_optimizer), common, participants);
}

}  // namespace primus::train
