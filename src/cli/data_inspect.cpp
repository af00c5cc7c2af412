// primus-cli data: inspect | bigram, which look at the data through an experiment file.
#include <charconv>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/config_options.h"
#include "cli/data_commands.h"
#include "config/blend.h"
#include "core/error.h"
#include "data/bigram.h"
#include "data/data_arguments.h"
#include "data/sampler.h"
#include "tokenizer/tokenizer_arguments.h"

namespace primus::cli {

namespace {

using Json = nlohmann::json;

std::unique_ptr<data::Dataset> take(data::Datasets& datasets, const std::string& split) {
  std::unique_ptr<data::Dataset>& dataset = split == "train"   ? datasets.train
                                            : split == "valid" ? datasets.valid
                                                               : datasets.test;
  if (dataset == nullptr) throw_user_error("the configuration has no {} data", split);
  return std::move(dataset);
}

struct Positions {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// "0:4" or "3".
Positions parse_positions(const std::string& text) {
  const auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || rest != part.data() + part.size() || value < 0)
      throw_user_error("--samples must be FIRST:END such as 0:4, not \"{}\"", text);
    return value;
  };
  const std::size_t colon = text.find(':');
  const std::int64_t begin = number(std::string_view(text).substr(0, colon));
  const std::int64_t end =
      colon == std::string::npos ? begin + 1 : number(std::string_view(text).substr(colon + 1));
  if (end <= begin) throw_user_error("--samples {} names no sample: END must be above FIRST", text);
  return {begin, end};
}

struct InspectOptions {
  std::shared_ptr<ConfigOptions> config;
  std::string samples = "0:4";
  std::string split = "train";
  std::int64_t data_parallel_size = 1;
  bool text = false;
};

/// The samplers of all ranks, in turn: the order in which a whole run takes its samples.
class RunOrder {
 public:
  RunOrder(const config::Arguments& arguments, std::int64_t total_samples, std::int64_t data_parallel_size) {
    const std::string type = arguments.get<"dataloader_type">().value_or("single");
    for (std::int64_t rank = 0; rank < data_parallel_size; ++rank)
      samplers_.push_back(data::make_sampler(type, {.total_samples = total_samples,
                                                    .consumed_samples = 0,
                                                    .micro_batch_size = arguments.get<"micro_batch_size">(),
                                                    .data_parallel_rank = rank,
                                                    .data_parallel_size = data_parallel_size,
                                                    .data_sharding = arguments.get<"data_sharding">()}));
  }

  std::int64_t next() {
    if (at_ == batch_.size()) {
      batch_ = samplers_[rank_]->next();
      rank_ = (rank_ + 1) % samplers_.size();
      at_ = 0;
    }
    return batch_[at_++];
  }

 private:
  std::vector<std::unique_ptr<data::Sampler>> samplers_;
  std::size_t rank_ = 0;
  std::vector<std::int64_t> batch_;
  std::size_t at_ = 0;
};

std::string decode(const tokenizer::Tokenizer& tokenizer, const std::vector<std::int64_t>& tokens) {
  return tokenizer.decode(std::vector<tokenizer::TokenId>(tokens.begin(), tokens.end()));
}

Json describe(const data::Batch& batch, std::int64_t position) {
  Json line = {{"position", position},         {"sample", batch.samples[0]},
               {"tokens", batch.tokens},       {"labels", batch.labels},
               {"loss_mask", batch.loss_mask}, {"position_ids", batch.position_ids}};
  if (!batch.document_starts.empty()) line["document_starts"] = batch.document_starts[0];
  return line;
}

void inspect_samples(const InspectOptions& options, const std::vector<std::string>& tokens) {
  const Positions positions = parse_positions(options.samples);
  if (options.data_parallel_size < 1) throw UserError("--data_parallel_size must be positive");
  const config::Experiment experiment = config::resolve(options.config->request(tokens));
  const config::Arguments& arguments = experiment.arguments;
  const auto tokenizer = tokenizer::make_tokenizer(arguments);
  data::Datasets datasets =
      data::build_datasets(data::data_config_from(arguments, *tokenizer),
                           data::split_sizes_from(arguments, options.data_parallel_size));
  const auto dataset = take(datasets, options.split);
  const data::BatchOptions batch_options = data::batch_options_from(arguments, *tokenizer);
  RunOrder order(arguments, dataset->size(), options.data_parallel_size);
  for (std::int64_t position = 0; position < positions.end; ++position) {
    const std::vector<std::int64_t> sample = {order.next()};
    if (position < positions.begin) continue;
    const data::Batch batch = data::make_batch(*dataset, sample, batch_options);
    Json line = describe(batch, position);
    if (options.text) line["text"] = decode(*tokenizer, batch.tokens);
    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
}

struct BigramOptions {
  std::shared_ptr<ConfigOptions> config;
  std::string split = "valid";
};

/// A weighted blend has no epoch of its own.
bool has_weights(const data::DataConfig& config) {
  const auto weighted = [](const data::DataPaths& paths) {
    return config::parse_blend(paths.items).weights.has_value();
  };
  return weighted(config.data_path) || weighted(config.train_data_path) || weighted(config.valid_data_path) ||
         weighted(config.test_data_path);
}

/// One epoch of the training data against one epoch of the evaluation data; of weighted blends, the samples
/// that the run takes.
void bigram(const BigramOptions& options, const std::vector<std::string>& tokens) {
  const config::Experiment experiment = config::resolve(options.config->request(tokens));
  const config::Arguments& arguments = experiment.arguments;
  const auto tokenizer = tokenizer::make_tokenizer(arguments);
  const data::DataConfig config = data::data_config_from(arguments, *tokenizer);
  data::Datasets datasets = data::build_datasets(
      config, has_weights(config) ? data::split_sizes_from(arguments, 1) : data::SplitSizes());
  const auto valid = take(datasets, options.split), train = take(datasets, "train");
  const data::BigramReport report = data::bigram_baseline(*train, *valid, tokenizer->vocab_size());
  std::cout << Json{{"bigram_loss", report.loss},
                    {"unigram_loss", report.unigram_loss},
                    {"split", options.split},
                    {"train_tokens", report.train_tokens},
                    {"valid_tokens", report.valid_tokens}}
                   .dump()
            << '\n';
}

}  // namespace

void add_data_inspect(CLI::App& parent) {
  auto* command = parent.add_subcommand("inspect", "Print the samples that training sees, as JSON lines");
  auto options = std::make_shared<InspectOptions>();
  options->config = add_config_options(*command);
  command->add_option("--samples", options->samples, "FIRST:END in the order in which the run takes them")
      ->capture_default_str();
  command->add_option("--data_split", options->split, "Which part of the data")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->capture_default_str();
  command
      ->add_option("--data_parallel_size", options->data_parallel_size,
                   "Ranks that share the samples: with the cyclic loader and data_sharding the order depends "
                   "on their number, as in Megatron")
      ->capture_default_str();
  command->add_flag("--text", options->text, "Also decode the tokens");
  command->callback([command, options] { inspect_samples(*options, command->remaining()); });
}

void add_data_bigram(CLI::App& parent) {
  auto* command = parent.add_subcommand(
      "bigram", "Print the loss of an interpolated bigram model: what a language model must beat");
  auto options = std::make_shared<BigramOptions>();
  options->config = add_config_options(*command);
  command->add_option("--data_split", options->split, "Which part of the data to evaluate on")
      ->check(CLI::IsMember({"valid", "test"}))
      ->capture_default_str();
  command->callback([command, options] { bigram(*options, command->remaining()); });
}

}  // namespace primus::cli
