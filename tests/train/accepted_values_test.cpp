#include <gtest/gtest.h>

#include "config/tokens.h"
#include "config/validate.h"
#include "core/error.h"
#include "core/file.h"
#include "data/indexed_writer.h"
#include "tests/temporary_directory.h"
#include "train/inputs.h"
#include "train/settings.h"
#include "train/trainer.h"

namespace primus::train {
namespace {

constexpr const char* tiny = R"(
work_group: test
user_name: tester
exp_name: tiny
workspace: {}
modules:
  pre_trainer:
    framework: megatron
    config: pre_trainer.yaml
    model: llama_tiny.yaml
    overrides: {{num_layers: 1, hidden_size: 16, ffn_hidden_size: 32, num_attention_heads: 2, num_query_groups: 1,
      seq_length: 16, max_position_embeddings: 16, data_path: {}, split: "8,1,1", tokenizer_type: NullTokenizer, vocab_size: 31,
      make_vocab_size_divisible_by: 16,      bf16: false, micro_batch_size: 1, global_batch_size: 2, train_iters: 8, lr_warmup_iters: 2, eval_iters: 0,
      num_workers: 0}}
)";

std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('|', begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// Values at the ends of what a row allows, and common ones.
std::vector<std::string> values_to_try(const config::Argument& argument) {
  using config::Type;
  std::vector<std::string> values = parts_of(argument.support.values);
  for (const std::string& choice : parts_of(argument.details.choices)) values.push_back(choice);
  const bool number = argument.type == Type::number || argument.type == Type::numbers;
  const bool integer = argument.type == Type::integer || argument.type == Type::integers;
  if (argument.details.null) values.emplace_back("null");
  if (argument.type == Type::boolean) values.insert(values.end(), {"true", "false"});
  if (integer) values.insert(values.end(), {"-1", "0", "1", "2", "7"});
  if (number) values.insert(values.end(), {"-1", "0", "1e-12", "0.3", "0.999", "1", "1.5", "1e6"});
  if (argument.type == Type::layer_pattern) values.insert(values.end(), {"1", "2", "[1]", "[0,1]"});
  if (argument.type == Type::text || argument.holds_list()) values.emplace_back("");
  return values;
}

class AcceptedValues : public ::testing::Test {
 protected:
  AcceptedValues() {
    const std::string prefix = folder_ / "tokens";
    data::IndexedDatasetWriter writer(prefix, data::TokenType::uint16);
    for (int document = 0; document < 300; ++document) writer.add_document(std::vector<std::int32_t>(20, 0));
    writer.finish();
    const auto config = folder_ / "exp.yaml";
    write_file_atomically(config, fmt::format(tiny, folder_.path().string(), prefix));
    experiment_ = config::resolve({.config = config, .config_directories = config::config_directories({})});
  }

  /// What training says of a value that `config validate` accepts; nothing when it trains, or was refused.
  std::string complaint(const config::Argument& argument, const std::string& text) {
    config::Experiment experiment = experiment_;
    try {
      experiment.arguments.set(argument.name, config::resolve_token(text));
      const auto context = config::RunContext::of(experiment, /*world_size=*/1);
      experiment.arguments = config::arguments_for_training(experiment, context).arguments;
      check_settings(experiment.arguments, /*world_size=*/1);
      if (!missing_inputs(experiment.arguments, experiment.root_directory).empty()) return "";
    } catch (const UserError&) {
      return "";
    }
    ++accepted_;
    try {
      Trainer trainer(experiment, mesh_, logger_);
      if (experiment.arguments.get<"skip_train">() || experiment.arguments.get<"train_iters">() == 0)
        return "";
      trainer.train_step();
      trainer.train_step();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  testing::TemporaryDirectory folder_;
  config::Experiment experiment_;
  Logger logger_{LogOptions{.console_level = LogLevel::error}};
  parallel::Mesh mesh_{parallel::Communicator::join({}, {}), parallel::LayoutSizes{}};
  int accepted_ = 0;
};

TEST_F(AcceptedValues, OfEveryArgumentTrain) {
  for (std::size_t index = 0; index < config::argument_count; ++index) {
    const config::Argument& argument = config::argument_at(index);
    if (argument.support.status != config::Status::implemented) continue;
    for (const std::string& value : values_to_try(argument))
      EXPECT_EQ(complaint(argument, value), "") << argument.name << ": " << value;
  }
  EXPECT_GT(accepted_, 300);
}

}  // namespace
}  // namespace primus::train
