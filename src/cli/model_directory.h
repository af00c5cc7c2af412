#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/huggingface.h"
#include "model/gpt_model.h"
#include "tokenizer/tokenizer.h"

namespace primus::cli {

/// A model on disk: one of our checkpoints, or a directory in Hugging Face's format.
struct ModelDirectory {
  std::filesystem::path path;
  model::TransformerConfig config;
  /// Its logical tensors, read when they are asked for.
  checkpoint::TensorSource tensors;
  /// What the directory says about its tokenizer, if anything.
  std::optional<tokenizer::TokenizerOptions> tokenizer;
  /// Checksums of the files that it had in training, by name (train::tokenizer_checksums); null if unknown.
  nlohmann::json tokenizer_files;
  /// What a Hugging Face model brought along, see checkpoint::HuggingFaceConfig, and its
  /// generation_config.json; null otherwise.
  nlohmann::json special_tokens;
  nlohmann::json generation_config;
  /// Of training, 0 for other models.
  std::int64_t iteration = 0;
  /// 0 where the checkpoint does not say it.
  std::int64_t consumed_tokens = 0;
  /// The Hugging Face directory that a checkpoint was imported from; empty for others.
  std::string origin;
  /// For the user: what was found odd.
  std::vector<std::string> warnings;
};

struct OpenOptions {
  /// Which checkpoint of a folder; nothing: the latest.
  std::optional<std::int64_t> iteration;
  /// Keys of a config.json to pass over.
  std::vector<std::string> ignore_keys;
};

/// Adds --ignore_keys.
void add_ignore_keys(CLI::App& command, OpenOptions& options);

/// `directory`: a folder of checkpoints, one checkpoint, or a directory with a config.json. Throws UserError
/// when it is none of these.
ModelDirectory open_model(const std::filesystem::path& directory, const OpenOptions& options);

/// The tokenizer for a model. Throws UserError when it has ids that the model has no embedding for: it is
/// another model's. Warns when its files are not those that the model was trained with.
std::unique_ptr<tokenizer::Tokenizer> make_tokenizer_for(const ModelDirectory& source,
                                                         const tokenizer::TokenizerOptions& options);

/// The model with its weights.
std::unique_ptr<model::GPTModel> load_model(const ModelDirectory& source);

}  // namespace primus::cli
