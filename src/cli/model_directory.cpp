#include "cli/model_directory.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "core/error.h"
#include "tokenizer/options_json.h"

namespace primus::cli {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;

namespace {

ModelDirectory open_huggingface(const fs::path& directory) {
  ModelDirectory model{.path = directory,
                       .config = checkpoint::read_huggingface_config(directory),
                       .tensors = {},
                       .tokenizer = {}};
  model.tensors = checkpoint::import_huggingface(directory, model.config);
  if (fs::exists(directory / "tokenizer.json")) {
    model.tokenizer =
        tokenizer::TokenizerOptions{.type = "HuggingFaceTokenizer", .model = directory.string()};
  }
  return model;
}

ModelDirectory open_checkpoint(const fs::path& directory) {
  const auto opened = std::make_shared<Checkpoint>(directory);
  const nlohmann::json& common = opened->common();
  ModelDirectory model{.path = directory,
                       .config = opened->architecture(),
                       .tensors = [opened](const std::string& name) { return opened->tensor(name); },
                       .tokenizer = {}};
  if (common.contains("tokenizer")) {
    model.tokenizer = tokenizer::tokenizer_options_from_json(common["tokenizer"]);
  }
  const auto embedding = opened->index().tensors.find("embedding.word_embeddings.weight");
  if (embedding != opened->index().tensors.end()) model.config.params_dtype = embedding->second.dtype;
  return model;
}

}  // namespace

ModelDirectory open_model(const fs::path& directory, std::optional<std::int64_t> iteration) {
  if (fs::exists(directory / checkpoint::index_file)) return open_checkpoint(directory);
  if (fs::exists(directory / "config.json")) return open_huggingface(directory);
  const auto found = checkpoint::find_checkpoint(directory, iteration);
  if (!found) {
    throw_user_error("{}: there is neither a complete checkpoint nor a config.json in it",
                     directory.string());
  }
  if (!found->note.empty()) fmt::print(stderr, "primus: warning: {}\n", found->note);
  return open_checkpoint(found->path);
}

std::unique_ptr<model::GPTModel> load_model(const ModelDirectory& source) {
  auto model = std::make_unique<model::GPTModel>(source.config, model::ChunkSpec::whole(source.config),
                                                 parallel::Mesh());
  checkpoint::load_weights(source.tensors, *model);
  return model;
}

}  // namespace primus::cli
