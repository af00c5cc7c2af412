#include "cli/model_directory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "core/error.h"
#include "core/json.h"
#include "tokenizer/options_json.h"

namespace primus::cli {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;

namespace {

nlohmann::json read_generation_config(const fs::path& file) {
  if (!fs::exists(file)) return {};
  auto json = read_json(file);
  if (!json.is_object()) throw_user_error("{}: this is not a JSON object", file.string());
  return json;
}

ModelDirectory open_huggingface(const fs::path& directory) {
  checkpoint::HuggingFaceConfig config = checkpoint::read_huggingface_config(directory);
  ModelDirectory model;
  model.path = directory;
  model.config = config.model;
  model.tensors = checkpoint::import_huggingface(directory, model.config);
  if (fs::exists(directory / "tokenizer.json") || fs::exists(directory / "tokenizer.model")) {
    model.tokenizer =
        tokenizer::TokenizerOptions{.type = "HuggingFaceTokenizer", .model = directory.string()};
  }
  model.special_tokens = std::move(config.special_tokens);
  model.generation_config = read_generation_config(directory / "generation_config.json");
  if (!config.unknown_keys.empty()) {
    model.warnings.push_back(
        fmt::format("{}: these keys mean nothing for a model of this type and are left out: {}",
                    (directory / "config.json").string(), fmt::join(config.unknown_keys, ", ")));
  }
  return model;
}

ModelDirectory open_checkpoint(const fs::path& directory) {
  const auto opened = std::make_shared<Checkpoint>(directory);
  const nlohmann::json& common = opened->common();
  ModelDirectory model;
  model.path = directory;
  model.config = opened->architecture();
  model.tensors = [opened](const std::string& name) { return opened->tensor(name); };
  model.special_tokens = common.value("special_tokens", nlohmann::json());
  model.generation_config = common.value("generation_config", nlohmann::json());
  const std::string source = (directory / checkpoint::common_file).string();
  if (common.contains("iteration"))
    model.iteration = whole_number<std::int64_t>(common["iteration"], source + ": 'iteration'");
  if (common.contains("tokenizer")) {
    model.tokenizer =
        blame({source}, [&] { return tokenizer::tokenizer_options_from_json(common["tokenizer"]); });
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
