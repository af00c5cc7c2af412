#include "data/data_arguments.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "config/arguments.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"

namespace primus::data {

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// `data_args_path`: a file with what data_path would hold.
std::vector<std::string> read_blend_file(const std::string& path) {
  std::vector<std::string> words = words_of(read_file(path));
  if (words.empty()) throw_user_error("{} (data_args_path) names no dataset", path);
  return words;
}

/// `per_split_data_args_path`: a JSON object with the blends of "train", "valid" and "test", each a list or a
/// text.
void read_split_file(const std::string& path, DataConfig& config) {
  const auto read = [](const nlohmann::json& json, const char* name) -> std::vector<std::string> {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return {};
    if (found->is_string()) return words_of(found->get<std::string>());
    std::vector<std::string> words;
    for (const auto& item : *found) words.push_back(item.is_string() ? item.get<std::string>() : item.dump());
    return words;
  };
  try {
    const auto json = read_json(path);
    if (!json.is_object()) throw_user_error("{} (per_split_data_args_path) must hold a JSON object", path);
    config.train_data_path = read(json, "train");
    config.valid_data_path = read(json, "valid");
    config.test_data_path = read(json, "test");
  } catch (const nlohmann::json::exception& error) {
    throw_user_error("{} (per_split_data_args_path) is broken: {}", path, describe(error));
  }
}

}  // namespace

DataConfig data_config_from(const config::Arguments& arguments, const tokenizer::Tokenizer& tokenizer) {
  DataConfig config;
  config.mock_data = arguments.get<"mock_data">();
  if (!config.mock_data) {
    config.data_path = arguments.get<"data_path">();
    config.train_data_path = arguments.get<"train_data_path">();
    config.valid_data_path = arguments.get<"valid_data_path">();
    config.test_data_path = arguments.get<"test_data_path">();
    if (const auto path = arguments.get<"data_args_path">(); path && config.data_path.empty())
      config.data_path = read_blend_file(*path);
    if (const auto path = arguments.get<"per_split_data_args_path">()) read_split_file(*path, config);
  }
  config.split = arguments.get<"split">().value_or("");
  config.data_cache_path = arguments.get<"data_cache_path">().value_or("");
  config.mid_level_dataset_surplus = arguments.get<"mid_level_dataset_surplus">();
  config.seq_length = arguments.get<"seq_length">();
  config.seed = arguments.get<"seed">();
  config.vocab_size = tokenizer.vocab_size();
  if (config.mock_data) config.eod = tokenizer::require_eod(tokenizer, "mock_data");
  return config;
}

SplitSizes split_sizes_from(const config::Arguments& arguments, std::int64_t data_parallel_size) {
  const std::int64_t batch =
      arguments.get<"global_batch_size">().value_or(arguments.get<"micro_batch_size">() * data_parallel_size);
  const auto samples = arguments.get<"train_samples">();
  const auto given_iterations = arguments.get<"train_iters">();
  if (!samples && !given_iterations)
    throw UserError(arguments.where<"train_iters">(),
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
