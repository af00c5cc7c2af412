#include "train/inputs.h"

#include <memory>

#include "config/arguments.h"
#include "core/error.h"
#include "data/data_arguments.h"
#include "model/transformer_config.h"
#include "tokenizer/simple_tokenizers.h"
#include "tokenizer/tokenizer_arguments.h"
#include "train/resume.h"
#include "train/run_directory.h"
#include "train/settings.h"

namespace primus::train {

namespace fs = std::filesystem;

namespace {

using Missing = std::vector<std::string>;

void append(Missing& all, const Missing& more) { all.insert(all.end(), more.begin(), more.end()); }

/// The tokenizer, once masks and model are known to go with it.
std::unique_ptr<tokenizer::Tokenizer> fitting_tokenizer(const config::Arguments& arguments) {
  auto tokenizer = tokenizer::make_tokenizer(arguments);
  data::batch_options_from(arguments, *tokenizer);
  model::transformer_config_from(arguments, tokenizer->vocab_size());
  return tokenizer;
}

Missing missing_data(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer) {
  if (Missing lists = data::missing_lists(arguments); !lists.empty()) return lists;
  const data::DataConfig config = data::data_config_from(arguments, tokenizer);
  data::check(config);
  const bool trains = !arguments.get<"skip_train">() && (arguments.get<"train_iters">().value_or(0) > 0 ||
                                                         arguments.get<"train_samples">().value_or(0) > 0);
  if (trains) data::check_has_training_split(config);
  return data::missing_files(config);
}

void check_can_be_directory(const fs::path& directory) {
  for (fs::path path = directory; path.has_relative_path(); path = path.parent_path()) {
    if (fs::exists(path) && !fs::is_directory(path))
      throw_user_error("cannot make the run's directory {}: {} is a file", directory.string(), path.string());
  }
}

Missing missing_checkpoint(const config::Arguments& arguments, const fs::path& own_folder) {
  ResumeSettings settings = resume_settings_from(arguments);
  if (settings.load.empty() || fs::exists(settings.load)) {
    plan_load(settings, own_folder);
    return {};
  }
  const std::string load = std::exchange(settings.load, "");
  if (plan_load(settings, own_folder)) return {};  // It continues its own checkpoints.
  return {fmt::format("{}: load: {} does not exist", to_string(settings.load_where), load)};
}

}  // namespace

std::vector<std::string> missing_inputs(const config::Arguments& arguments, const fs::path& root) {
  Missing missing = tokenizer::missing_files(arguments);
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  if (missing.empty()) tokenizer = fitting_tokenizer(arguments);
  // Only mock data asks for the tokenizer, and then there is one.
  if (!tokenizer) tokenizer = std::make_unique<tokenizer::NullTokenizer>(1);
  append(missing, missing_data(arguments, *tokenizer));
  check_can_be_directory(root);
  append(missing, missing_checkpoint(arguments, RunDirectory{root}.checkpoints()));
  return missing;
}

}  // namespace primus::train
