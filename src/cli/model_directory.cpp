#include "cli/model_directory.h"

#include <fmt/format.h>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "cli/commands.h"
#include "core/error.h"
#include "core/json_object.h"
#include "tokenizer/options_json.h"
#include "train/run_identity.h"

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

ModelDirectory open_huggingface(const fs::path& directory, const std::vector<std::string>& ignore_keys) {
  checkpoint::HuggingFaceConfig config = checkpoint::read_huggingface_config(directory, ignore_keys);
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
  in_file(directory / checkpoint::common_file, [&] {
    const JsonObject values(common);
    model.iteration = values.get("iteration", std::int64_t{0});
    model.origin = values.get("imported_from", std::string());
    if (values.has("consumed_train_samples") && values.has("run")) {
      model.consumed_tokens = values.get<std::int64_t>("consumed_train_samples") *
                              values.object("run").get("seq_length", std::int64_t{0});
    }
    if (values.has("run")) {
      const auto& run = values.at("run");
      if (run.is_object()) model.tokenizer_files = run.value("tokenizer_files", nlohmann::json());
    }
    if (values.has("tokenizer"))
      model.tokenizer = tokenizer::tokenizer_options_from_json(values.at("tokenizer"));
  });
  const auto embedding = opened->index().tensors.find("embedding.word_embeddings.weight");
  if (embedding != opened->index().tensors.end()) model.config.params_dtype = embedding->second.dtype;
  return model;
}

}  // namespace

void add_ignore_keys(CLI::App& command, OpenOptions& options) {
  command
      .add_option("--ignore_keys,--ignore-keys", options.ignore_keys,
                  "Keys of a Hugging Face config.json to pass over, such as a,b")
      ->delimiter(',');
}

ModelDirectory open_model(const fs::path& directory, const OpenOptions& options) {
  const bool is_checkpoint = fs::exists(directory / checkpoint::index_file);
  if (!is_checkpoint && fs::exists(directory / "config.json"))
    return open_huggingface(directory, options.ignore_keys);
  if (!options.ignore_keys.empty())
    throw_user_error("--ignore_keys is for Hugging Face models, and {} is not one", directory.string());
  if (is_checkpoint) return open_checkpoint(directory);
  const auto found = checkpoint::find_checkpoint(directory, options.iteration);
  if (!found) {
    throw_user_error("{}: contains neither a complete checkpoint nor a config.json", directory.string());
  }
  if (!found->note.empty()) fmt::print(stderr, "primus: warning: {}\n", found->note);
  return open_checkpoint(found->path);
}

std::unique_ptr<tokenizer::Tokenizer> make_tokenizer_for(const ModelDirectory& source,
                                                         const tokenizer::TokenizerOptions& options) {
  auto tokenizer = tokenizer::make_tokenizer(options);
  if (tokenizer->vocab_size() > source.config.vocab_size) {
    throw_user_error("{}: the tokenizer ({}) has {} entries, and the model only {}: it is another model's",
                     source.path.string(), tokenizer->description(), tokenizer->vocab_size(),
                     source.config.vocab_size);
  }
  if (source.tokenizer_files.is_object()) {
    const nlohmann::json now = train::tokenizer_checksums(options);
    for (const auto& [name, checksum] : source.tokenizer_files.items()) {
      if (now.contains(name) && now[name] == checksum) continue;
      print_warnings({fmt::format("{}: the model was trained with another tokenizer than {}: {} {}",
                                  source.path.string(), tokenizer->description(), name,
                                  now.contains(name) ? "has other content" : "is missing")});
    }
  }
  return tokenizer;
}

std::unique_ptr<model::GPTModel> load_model(const ModelDirectory& source) {
  auto model = std::make_unique<model::GPTModel>(source.config, model::ChunkSpec::whole(source.config),
                                                 parallel::Mesh());
  checkpoint::load_weights(source.tensors, *model, source.path);
  return model;
}

}  // namespace primus::cli
