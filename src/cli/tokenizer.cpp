// primus-cli tokenizer: train | encode | decode
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/tokenizer_options.h"
#include "core/error.h"
#include "core/json.h"
#include "core/lock.h"
#include "data/documents.h"
#include "tokenizer/bpe_trainer.h"

namespace primus::cli {

namespace {

struct TokenizerTrainOptions {
  std::vector<std::string> inputs;
  std::string format = "auto";
  std::vector<std::string> json_keys = {"text"};
  bool skip_bad = false;
  tokenizer::BpeTrainer::Options training;
  std::string output;
};

void train(const TokenizerTrainOptions& options) {
  const Lock lock(std::filesystem::path(options.output) / Lock::file_name);
  tokenizer::BpeTrainer trainer(options.training);
  std::int64_t documents = 0, bytes = 0;
  data::SkippedDocuments skipped;
  for (const std::string& input : options.inputs) {
    data::DocumentReader reader(input, data::parse_document_format(options.format));
    while (auto document = reader.next()) {
      try {
        for (const auto& texts : data::document_texts(*document, reader.format(), options.json_keys)) {
          for (const std::string& text : texts) {
            blame(document->where, [&] { trainer.add(text); });
            bytes += static_cast<std::int64_t>(text.size());
          }
        }
        ++documents;
      } catch (const UserError& error) {
        if (!options.skip_bad) throw;
        skipped.add(error.what());
      }
    }
  }
  if (skipped.count > 0) std::cerr << "primus: warning: " << to_string(skipped) << '\n';
  if (documents == 0) throw UserError("the input has no documents to train on");
  const tokenizer::TrainedBpe trained = trainer.train();
  tokenizer::save_tokenizer(trained, options.output);
  const nlohmann::json report = {{"output", options.output},
                                 {"vocab_size", trained.pieces.size()},
                                 {"merges", trained.merges.size()},
                                 {"documents", documents},
                                 {"bytes", bytes}};
  std::cout << report.dump() << '\n';
  if (static_cast<std::int64_t>(trained.pieces.size()) < options.training.vocab_size)
    std::cerr << fmt::format(
        "primus: warning: the text yields only {} of {} entries; no remaining pair occurs {} times\n",
        trained.pieces.size(), options.training.vocab_size, options.training.min_frequency);
}

void add_tokenizer_train(CLI::App& parent) {
  auto* command =
      parent.add_subcommand("train", "Train a byte-level BPE tokenizer and save it as tokenizer.json");
  auto options = std::make_shared<TokenizerTrainOptions>();
  command->add_option("--input", options->inputs, "Files to learn from (gzip or plain; - is standard input)")
      ->required();
  command->add_option("--format", options->format, "auto, jsonl, lines, paragraphs or whole")
      ->capture_default_str();
  command
      ->add_option("--json_keys,--json_key,--json-keys", options->json_keys,
                   "Keys of JSON lines to learn from")
      ->capture_default_str();
  command->add_flag("--skip_bad,--skip-bad", options->skip_bad, "Leave out documents that cannot be read");
  command->add_option("--vocab_size,--vocab-size", options->training.vocab_size, "Entries of the vocabulary")
      ->capture_default_str();
  command
      ->add_option("--min_frequency,--min-frequency", options->training.min_frequency,
                   "Do not merge pairs seen less often than this")
      ->capture_default_str();
  command
      ->add_option("--special_tokens,--special-tokens", options->training.special_tokens,
                   "Special tokens; the first ends a document")
      ->capture_default_str();
  command->add_option("--output", options->output, "Directory for the tokenizer's files")->required();
  command->callback([options] { train(*options); });
}

std::string text_or_input(const std::string& text) {
  if (!text.empty()) return text;
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

void add_encode(CLI::App& parent) {
  auto* command = parent.add_subcommand("encode", "Print the token ids of a text as a JSON list");
  auto options = std::make_shared<tokenizer::TokenizerOptions>(default_tokenizer_options());
  auto text = std::make_shared<std::string>();
  add_tokenizer_options(*command, *options);
  command->add_option("--text", *text, "The text; standard input when not given");
  command->callback([options, text] {
    const auto ids = tokenizer::make_tokenizer(*options)->encode(text_or_input(*text));
    std::cout << nlohmann::json(ids).dump() << '\n';
  });
}

std::vector<tokenizer::TokenId> parse_ids(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_array())
    throw UserError("token ids must be a JSON list such as [17, 4]");
  std::vector<tokenizer::TokenId> ids;
  for (const auto& id : json) {
    ids.push_back(whole_number<tokenizer::TokenId>(id, "a token id"));
  }
  return ids;
}

void add_decode(CLI::App& parent) {
  auto* command = parent.add_subcommand("decode", "Print the text of token ids");
  auto options = std::make_shared<tokenizer::TokenizerOptions>(default_tokenizer_options());
  auto ids = std::make_shared<std::string>();
  add_tokenizer_options(*command, *options);
  command->add_option("--ids", *ids, "A JSON list of ids; standard input when not given");
  command->callback([options, ids] {
    std::cout << tokenizer::make_tokenizer(*options)->decode(parse_ids(text_or_input(*ids))) << '\n';
  });
}

}  // namespace

void add_tokenizer(CLI::App& program) {
  auto* command = program.add_subcommand("tokenizer", "Train and use tokenizers");
  command->require_subcommand(1);
  add_tokenizer_train(*command);
  add_encode(*command);
  add_decode(*command);
}

}  // namespace primus::cli
