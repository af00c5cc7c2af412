#include "data/data_arguments.h"

#include <nlohmann/json.hpp>

#include "config/arguments.h"
#include "config/blend.h"
#include "core/error.h"
#include "core/file_kind.h"
#include "core/json.h"

namespace primus::data {

namespace {

/// `value` is the argument as it was given, `items` what it holds.
DataPaths paths_from(const config::Value& value, std::vector<std::string> items) {
  const bool was_text = !value.is_list() || !value.written.empty();
  return {std::move(items), value.origin.where(), was_text && !value.as_written().starts_with('[')};
}

/// The items of a text in `file`.
DataPaths paths_in_text(const std::string& file, std::string_view text) {
  return {config::split_at_blanks(text), {file}, true};
}

/// `data_args_path`: a file with what data_path would hold.
DataPaths read_blend_file(const std::string& path) {
  DataPaths paths = paths_in_text(path, read_text_file(path));
  if (paths.empty()) throw_user_error("{} (data_args_path) names no dataset", path);
  return paths;
}

DataPaths paths_in_json(const std::string& file, const std::string& split, const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return paths_in_text(file, value.get<std::string>());
  DataPaths paths{{}, {file}, false};
  for (const auto& item : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!value.is_array() || !(item.is_string() || item.is_number()))
      throw_user_error("{} (per_split_data_args_path): \"{}\" must be a text, or a list of paths and weights",
                       file, split);
    paths.items.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return paths;
}

/// `per_split_data_args_path`: a JSON object with the blends of "train", "valid" and "test", each a list or a
/// text.
void read_split_file(const std::string& path, DataConfig& config) {
  const auto json = parse_json(read_text_file(path), path);
  if (!json.is_object()) throw_user_error("{} (per_split_data_args_path) does not hold a JSON object", path);
  for (const auto& [split, value] : json.items()) {
    DataPaths paths = paths_in_json(path, split, value);
    if (split == "train") {
      config.train_data_path = std::move(paths);
    } else if (split == "valid") {
      config.valid_data_path = std::move(paths);
    } else if (split == "test") {
      config.test_data_path = std::move(paths);
    } else {
      throw_user_error("{} (per_split_data_args_path) has the key \"{}\"; it may have train, valid and test",
                       path, split);
    }
  }
}

}  // namespace

DataConfig data_config_from(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer) {
  DataConfig config;
  config.mock_data = arguments.get<"mock_data">();
  if (!config.mock_data) {
    config.data_path = paths_from(arguments.value("data_path"), arguments.get<"data_path">());
    config.train_data_path =
        paths_from(arguments.value("train_data_path"), arguments.get<"train_data_path">());
    config.valid_data_path =
        paths_from(arguments.value("valid_data_path"), arguments.get<"valid_data_path">());
    config.test_data_path = paths_from(arguments.value("test_data_path"), arguments.get<"test_data_path">());
    if (const auto path = arguments.get<"data_args_path">())
      config.data_path = blame(arguments.where<"data_args_path">(), [&] { return read_blend_file(*path); });
    if (const auto path = arguments.get<"per_split_data_args_path">())
      blame(arguments.where<"per_split_data_args_path">(), [&] { read_split_file(*path, config); });
  }
  config.source_where = arguments.where<"data_path", "train_data_path", "valid_data_path", "test_data_path",
                                        "data_args_path", "per_split_data_args_path", "mock_data">();
  config.split = arguments.get<"split">().value_or("");
  config.split_where = arguments.where<"split">();
  config.data_cache_path = arguments.get<"data_cache_path">().value_or("");
  config.data_cache_where = arguments.where<"data_cache_path">();
  config.mid_level_dataset_surplus = arguments.get<"mid_level_dataset_surplus">();
  config.seq_length = arguments.get<"seq_length">();
  config.seed = static_cast<std::uint32_t>(arguments.get<"seed">());
  config.vocab_size = tokenizer.vocab_size();
  if (config.mock_data) config.eod = tokenizer::require_eod(tokenizer, "mock_data");
  return config;
}

std::vector<std::string> missing_lists(const config::Arguments& arguments) {
  std::vector<std::string> missing;
  if (arguments.get<"mock_data">()) return missing;
  const auto look_for = [&](const std::optional<std::string>& path, const char* name, const Where& where) {
    if (path && !std::filesystem::exists(*path))
      missing.push_back(fmt::format("{}: {}: {} does not exist", to_string(where), name, *path));
  };
  look_for(arguments.get<"data_args_path">(), "data_args_path", arguments.where<"data_args_path">());
  look_for(arguments.get<"per_split_data_args_path">(), "per_split_data_args_path",
           arguments.where<"per_split_data_args_path">());
  return missing;
}

SplitSizes split_sizes_from(const config::Arguments& arguments, std::int64_t data_parallel_size) {
  const std::int64_t batch =
      arguments.get<"global_batch_size">().value_or(arguments.get<"micro_batch_size">() * data_parallel_size);
  const auto samples = arguments.get<"train_samples">();
  const auto given_iterations = arguments.get<"train_iters">();
  if (!samples && !given_iterations)
    throw UserError(arguments.where<"train_iters", "train_samples">(),
                    "the run has no length: set train_iters or train_samples");
  const std::int64_t iterations = given_iterations ? *given_iterations : *samples / batch;
  SplitSizes sizes = split_sizes(samples.value_or(iterations * batch), iterations,
                                 arguments.get<"eval_interval">().value_or(iterations),
                                 arguments.get<"eval_iters">(), batch);
  if (arguments.get<"full_validation">()) sizes.valid = sizes.test = std::nullopt;
  return sizes;
}

BatchOptions batch_options_from(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer) {
  BatchOptions options{.vocab_size = tokenizer.vocab_size(),
                       .eod_mask_loss = arguments.get<"eod_mask_loss">(),
                       .reset_position_ids = arguments.get<"reset_position_ids">(),
                       .reset_attention_mask = arguments.get<"reset_attention_mask">()};
  if (options.eod_mask_loss || options.reset_position_ids || options.reset_attention_mask)
    options.eod =
        tokenizer::require_eod(tokenizer, "eod_mask_loss, reset_position_ids or reset_attention_mask");
  return options;
}

}  // namespace primus::data
