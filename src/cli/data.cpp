// primus-cli data: preprocess | merge; inspect and bigram are in data_inspect.cpp
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/commands.h"
#include "cli/data_commands.h"
#include "cli/tokenizer_options.h"
#include "core/error.h"
#include "data/indexed_writer.h"
#include "data/preprocess.h"

namespace primus::cli {

namespace {

using Json = nlohmann::json;

void run_preprocess(const tokenizer::TokenizerOptions& tokenizer_options,
                    const data::PreprocessOptions& options) {
  const auto tokenizer = tokenizer::make_tokenizer(tokenizer_options);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto report = data::preprocess(*tokenizer, options, [&](const data::PreprocessProgress& progress) {
    std::cerr << fmt::format("Processed {} documents ({:.0f} docs/s, {:.2f} MB/s)\n", progress.documents,
                             static_cast<double>(progress.documents) / seconds(),
                             static_cast<double>(progress.bytes) / seconds() / (1 << 20));
  });
  if (report.skipped.count > 0) std::cerr << "primus: warning: " << to_string(report.skipped) << '\n';
  for (const data::PreprocessOutput& output : report.outputs)
    std::cout << Json{{"prefix", output.prefix},
                      {"documents", output.documents},
                      {"tokens", output.tokens},
                      {"skipped", report.skipped.count}}
                     .dump()
              << '\n';
}

void add_preprocess(CLI::App& parent) {
  struct Arguments {
    tokenizer::TokenizerOptions tokenizer = default_tokenizer_options();
    data::PreprocessOptions options;
    std::string format = "auto";
  };
  auto* command =
      parent.add_subcommand("preprocess", "Tokenize documents into Megatron's .bin and .idx files");
  auto arguments = std::make_shared<Arguments>();
  auto& options = arguments->options;
  options.workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  command->add_option("--input", options.inputs, "Files (gzip or plain; - is standard input)")->required();
  command
      ->add_option(
          "--format", arguments->format,
          "auto (by content), jsonl, lines (one document a line), paragraphs (blank lines between) or whole")
      ->capture_default_str();
  command
      ->add_option("--json_keys,--json-keys,--json_key", options.json_keys,
                   "Keys of JSON lines; each makes a dataset")
      ->capture_default_str();
  command
      ->add_option("--output_prefix,--output-prefix", options.output_prefix,
                   "Writes <prefix>_<key>_document.bin and .idx")
      ->required();
  add_tokenizer_options(*command, arguments->tokenizer);
  command->add_flag("--append_eod,--append-eod", options.append_eod,
                    "End each document with the end-of-document token");
  command->add_flag("--skip_bad,--skip-bad", options.skip_bad,
                    "Leave out documents that cannot be read, and say how many and which were the first");
  command->add_option("--workers", options.workers, "Threads that tokenize")->capture_default_str();
  command
      ->add_option("--log_interval,--log-interval", options.log_interval, "Documents between progress lines")
      ->capture_default_str();
  command->callback([arguments] {
    arguments->options.format = data::parse_document_format(arguments->format);
    run_preprocess(arguments->tokenizer, arguments->options);
  });
}

/// All prefixes of pairs in a directory, by name, as Megatron's merge tool takes them.
std::vector<std::string> prefixes_in(const std::filesystem::path& directory) {
  std::vector<std::string> prefixes;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".idx") prefixes.push_back((directory / entry.path().stem()).string());
  }
  std::ranges::sort(prefixes);
  return prefixes;
}

void run_merge(const std::vector<std::string>& inputs, const std::string& output_prefix) {
  std::vector<std::string> prefixes;
  for (const std::string& input : inputs) {
    if (std::filesystem::is_directory(input)) {
      const auto inside = prefixes_in(input);
      prefixes.insert(prefixes.end(), inside.begin(), inside.end());
    } else {
      prefixes.push_back(input);
    }
  }
  if (prefixes.empty()) throw_user_error("no .idx files in {}", fmt::join(inputs, ", "));
  if (std::ranges::find(prefixes, output_prefix) != prefixes.end())
    throw_user_error("the output {} is one of the inputs", output_prefix);
  data::IndexedDatasetWriter writer(output_prefix, data::IndexedDataset(prefixes.front()).token_type());
  for (const std::string& prefix : prefixes) writer.add_dataset(data::IndexedDataset(prefix));
  writer.finish();
  std::cout << Json{{"prefix", output_prefix},
                    {"documents", writer.document_count()},
                    {"tokens", writer.token_count()}}
                   .dump()
            << '\n';
}

void add_merge(CLI::App& parent) {
  struct Arguments {
    std::vector<std::string> inputs;
    std::string output_prefix;
  };
  auto* command = parent.add_subcommand("merge", "Join datasets into one");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("--input", arguments->inputs, "Prefixes, or directories whose datasets are taken by name")
      ->required();
  command
      ->add_option("--output_prefix,--output-prefix", arguments->output_prefix,
                   "Prefix of the joined dataset")
      ->required();
  command->callback([arguments] { run_merge(arguments->inputs, arguments->output_prefix); });
}

}  // namespace

void add_data(CLI::App& program) {
  auto* command = program.add_subcommand("data", "Prepare and look at training data");
  command->require_subcommand(1);
  add_preprocess(*command);
  add_merge(*command);
  add_data_inspect(*command);
  add_data_bigram(*command);
}

}  // namespace primus::cli
