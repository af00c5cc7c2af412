// primus-cli checkpoint import-hf | export-hf
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "cli/model_directory.h"
#include "core/error.h"
#include "core/lock.h"
#include "model/flops.h"
#include "parallel/tensor_piece.h"
#include "tokenizer/options_json.h"

namespace primus::cli {

namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string source;
  std::string destination;
  std::optional<std::int64_t> iteration;
  std::string dtype;
  std::string tokenizer;
};

at::ScalarType parse_dtype(const std::string& name, at::ScalarType otherwise) {
  if (name.empty()) return otherwise;
  return name == "fp32" ? at::kFloat : at::kBFloat16;
}

void import_model(const ConvertOptions& options) {
  if (!fs::exists(fs::path(options.source) / "config.json")) {
    throw_user_error("{}: there is no config.json in it", options.source);
  }
  ModelDirectory source = open_model(options.source);
  source.config.params_dtype = parse_dtype(options.dtype, source.config.params_dtype);
  const Lock lock(fs::path(options.destination) / Lock::file_name);
  if (checkpoint::find_checkpoint(options.destination)) {
    throw_user_error("{}: there are checkpoints in it already; name another folder", options.destination);
  }
  const auto model = load_model(source);
  nlohmann::json common = {{"iteration", 0},
                           {"architecture", nlohmann::json::parse(model::to_json(source.config))}};
  if (source.tokenizer) common["tokenizer"] = tokenizer::to_json(*source.tokenizer);
  const fs::path directory = checkpoint::release_directory(options.destination);
  checkpoint::save(directory, parallel::weight_pieces(model->parameters(), parallel::Mesh()), common);
  fmt::print("{}: {} parameters\n", directory.string(), model::parameter_count(source.config));
}

/// What Transformers looks for beside a tokenizer, given as its directory or one of its files.
std::vector<fs::path> tokenizer_files(const fs::path& model) {
  const fs::path directory = fs::is_directory(model) ? model : model.parent_path();
  std::vector<fs::path> files;
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model"}) {
    if (fs::exists(directory / name)) files.push_back(directory / name);
  }
  return files;
}

void export_model(const ConvertOptions& options) {
  const ModelDirectory source = open_model(options.source, options.iteration);
  checkpoint::HuggingFaceExport plan{.config = source.config, .tensors = source.tensors};
  plan.config.params_dtype = parse_dtype(options.dtype, source.config.params_dtype);
  if (!options.tokenizer.empty()) {
    plan.extra_files = tokenizer_files(options.tokenizer);
    if (plan.extra_files.empty()) throw_user_error("{}: there is no tokenizer in it", options.tokenizer);
  } else if (source.tokenizer) {
    plan.extra_files = tokenizer_files(source.tokenizer->model);
  }
  checkpoint::export_huggingface(plan, options.destination);
  fmt::print("{}: {} parameters\n", options.destination, model::parameter_count(source.config));
}

CLI::App* add_conversion(CLI::App& parent, const char* name, const char* help,
                         const std::shared_ptr<ConvertOptions>& options) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->add_option("--dtype", options->dtype, "Store weights as bf16 or fp32; default: as they are")
      ->check(CLI::IsMember({"bf16", "fp32"}));
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
  exported->add_option("--iteration", to_them->iteration, "Which checkpoint; default: the latest");
  exported->add_option("--tokenizer", to_them->tokenizer,
                       "Tokenizer, as directory or file, that is copied along");
  exported->callback([to_them] { export_model(*to_them); });
}

}  // namespace primus::cli
