// primus-cli checkpoint import-hf | export-hf
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>

#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "cli/model_directory.h"
#include "cli/program.h"
#include "cli/tokenizer_export.h"
#include "core/error.h"
#include "core/lock.h"
#include "model/analysis.h"
#include "parallel/tensor_piece.h"
#include "tokenizer/options_json.h"

namespace primus::cli {

namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string source;
  std::string destination;
  OpenOptions open;
  std::string dtype;
  std::string tokenizer;
  bool without_tokenizer = false;
};

at::ScalarType parse_dtype(const std::string& name, at::ScalarType otherwise) {
  if (name.empty()) return otherwise;
  return name == "fp32" ? at::kFloat : at::kBFloat16;
}

/// How to train what was imported: `load` alone does not say what the model is.
void print_training_arguments(const ModelDirectory& source, const std::string& folder) {
  fmt::print("\n# To train it, with a tokenizer of at most {} entries:\nload: {}\n", source.config.vocab_size,
             fs::absolute(folder).lexically_normal().string());
  try {
    for (const auto& [name, value] : model::arguments_from(source.config))
      fmt::print("{}: {}\n", name, value);
  } catch (const UserError& error) {
    fmt::print("# Not possible: {}\n", std::regex_replace(error.what(), std::regex("\n"), "\n#"));
  }
}

void import_model(const ConvertOptions& options) {
  if (!fs::exists(fs::path(options.source) / "config.json")) {
    throw_user_error("{}: contains no config.json", options.source);
  }
  ModelDirectory source = open_model(options.source, options.open);
  source.config.params_dtype = parse_dtype(options.dtype, source.config.params_dtype);
  const Lock lock(fs::path(options.destination) / Lock::file_name);
  if (checkpoint::find_checkpoint(options.destination)) {
    throw_user_error("{}: already contains checkpoints; name another folder", options.destination);
  }
  const auto model = load_model(source);
  nlohmann::json common = {{"iteration", 0},
                           {"architecture", nlohmann::json::parse(model::to_json(source.config))},
                           {"special_tokens", source.special_tokens},
                           {"imported_from", fs::absolute(options.source).lexically_normal().string()}};
  if (source.tokenizer) common["tokenizer"] = tokenizer::to_json(*source.tokenizer);
  if (!source.generation_config.is_null()) common["generation_config"] = source.generation_config;
  const fs::path directory = checkpoint::release_directory(options.destination);
  checkpoint::save(directory, parallel::weight_pieces(model->parameters(), parallel::Mesh()), common);
  print_warnings(source.warnings);
  fmt::print("{}: {} parameters\n", directory.string(), model::parameter_count(source.config));
  print_training_arguments(source, options.destination);
}

/// Its tokenizer, if any: the one given, or what the checkpoint says.
std::optional<tokenizer::TokenizerOptions> exported_tokenizer(const ConvertOptions& options,
                                                              const ModelDirectory& source) {
  if (options.without_tokenizer) return std::nullopt;
  if (options.tokenizer.empty()) return source.tokenizer;
  return tokenizer::TokenizerOptions{.type = "HuggingFaceTokenizer", .model = options.tokenizer};
}

TransformersTokenizer read_tokenizer(const tokenizer::TokenizerOptions& options,
                                     const ModelDirectory& source) {
  try {
    const auto tokenizer = make_tokenizer_for(source, options);
    return transformers_tokenizer(options, *tokenizer);
  } catch (const UserError& error) {
    throw_user_error("{}; name the tokenizer with --tokenizer, or export the model --without_tokenizer",
                     error.what());
  }
}

/// Transformers' text generation reads this file, not config.json.
std::string generation_config(const nlohmann::json& special_tokens) {
  nlohmann::json config = {{"_from_model_config", true}};
  for (const auto& [key, id] : special_tokens.items()) {
    if (!id.is_null()) config[key] = id;
  }
  return config.dump(2) + "\n";
}

/// A model card that says where the weights come from.
std::string model_card(const ModelDirectory& source) {
  const std::string path = fs::absolute(source.path).lexically_normal().string();
  std::string card = fmt::format(
      "---\nlibrary_name: transformers\n---\n\n"
      "A model of {} layers, hidden size {} and {} parameters, written by `primus-cli checkpoint export-hf` "
      "(version {}).\n\n"
      "- Weights: `{}`\n",
      source.config.num_layers, source.config.hidden_size, model::parameter_count(source.config),
      program_version, path);
  if (source.iteration > 0) card += fmt::format("- Training iteration: {}\n", source.iteration);
  if (source.consumed_tokens > 0) card += fmt::format("- Tokens trained on: {}\n", source.consumed_tokens);
  if (!source.origin.empty()) card += fmt::format("- Imported from: `{}`\n", source.origin);
  return card;
}

/// Whether Transformers takes the model's type for the tokenizer's, though the tokenizer is another.
bool makes_qwen2_tokenizer(const checkpoint::HuggingFaceExport& plan) {
  const auto found = plan.extra_files.find("tokenizer_config.json");
  const bool qwen2 = plan.config.add_qkv_bias && !plan.config.add_bias_linear;
  return qwen2 && found != plan.extra_files.end() &&
         found->second.find("Qwen2Tokenizer") == std::string::npos;
}

void export_model(const ConvertOptions& options) {
  ModelDirectory source = open_model(options.source, options.open);
  checkpoint::HuggingFaceExport plan{.config = source.config, .tensors = source.tensors};
  plan.config.params_dtype = parse_dtype(options.dtype, source.config.params_dtype);
  if (const auto tokenizer = exported_tokenizer(options, source)) {
    TransformersTokenizer exported = read_tokenizer(*tokenizer, source);
    plan.extra_files = std::move(exported.files);
    plan.special_tokens = std::move(exported.special_tokens);
    if (makes_qwen2_tokenizer(plan)) {
      source.warnings.emplace_back(
          "AutoTokenizer makes a Qwen2Tokenizer for every model of type qwen2, which may give other ids: "
          "load "
          "this tokenizer with PreTrainedTokenizerFast");
    }
    if (plan.extra_files.empty()) {
      source.warnings.push_back(
          fmt::format("no tokenizer is exported: Transformers has no equivalent of {}", tokenizer->type));
    }
  } else {
    source.warnings.emplace_back("no tokenizer is exported; --tokenizer names one");
  }
  // What a Hugging Face model came with says more, such as several tokens that end a text.
  const bool keeps_tokens = options.tokenizer.empty();
  if (keeps_tokens && source.special_tokens.is_object()) plan.special_tokens.update(source.special_tokens);
  plan.extra_files["generation_config.json"] = keeps_tokens && source.generation_config.is_object()
                                                   ? source.generation_config.dump(2) + "\n"
                                                   : generation_config(plan.special_tokens);
  plan.extra_files["README.md"] = model_card(source);
  checkpoint::export_huggingface(plan, options.destination);
  print_warnings(source.warnings);
  fmt::print("{}: {} parameters\n", options.destination, model::parameter_count(source.config));
}

CLI::App* add_conversion(CLI::App& parent, const char* name, const char* help,
                         const std::shared_ptr<ConvertOptions>& options) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->add_option("--dtype", options->dtype, "Store weights as bf16 or fp32; default: as they are")
      ->check(CLI::IsMember({"bf16", "fp32"}));
  add_ignore_keys(*app, options->open);
  return app;
}

}  // namespace

void add_huggingface_conversions(CLI::App& checkpoint) {
  const auto to_us = std::make_shared<ConvertOptions>(), to_them = std::make_shared<ConvertOptions>();
  CLI::App* import =
      add_conversion(checkpoint, "import-hf", "Turn a Hugging Face model into a checkpoint", to_us);
  import->add_option("directory", to_us->source, "Holds config.json and the safetensors files")->required();
  import->add_option("--save", to_us->destination, "The folder of checkpoints to make")->required();
  import->callback([to_us] { import_model(*to_us); });

  CLI::App* exported =
      add_conversion(checkpoint, "export-hf", "Turn a checkpoint into a Hugging Face model", to_them);
  exported->add_option("directory", to_them->source, "A folder of checkpoints, or one checkpoint in it")
      ->required();
  exported->add_option("--save", to_them->destination, "The directory to make")->required();
  exported->add_option("--iteration", to_them->open.iteration, "Which checkpoint; default: the latest");
  exported->add_option("--tokenizer", to_them->tokenizer,
                       "Tokenizer, as directory or file, that is copied along");
  exported
      ->add_flag("--without_tokenizer,--without-tokenizer", to_them->without_tokenizer,
                 "Export the model alone")
      ->excludes("--tokenizer");
  exported->callback([to_them] { export_model(*to_them); });
}

}  // namespace primus::cli
