#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/gpt_model.h"
#include "model/transformer_config.h"

namespace primus::checkpoint {

/// Models of the Llama family as Hugging Face Transformers stores them: config.json and model.safetensors (or
/// its shards, listed in model.safetensors.index.json). LlamaForCausalLM, MistralForCausalLM without a
/// sliding window, Qwen2ForCausalLM and Qwen3ForCausalLM are read; the first, third and fourth are written.

/// The whole logical tensor of a name.
using TensorSource = std::function<at::Tensor(const std::string& name)>;

/// How one tensor is made of those of the other side.
struct TensorRule {
  std::string name;
  /// Set for Hugging Face's tensors alone.
  std::vector<std::int64_t> shape;
  std::function<at::Tensor(const TensorSource&)> make;
};

/// Every logical tensor of ours, made of Hugging Face's: queries, keys and values are packed per group, gate
/// and up projection joined, the vocabulary padded with zeros.
std::vector<TensorRule> import_rules(const model::TransformerConfig& config);
/// Every tensor of Hugging Face's, made of ours; rows that pad the vocabulary are left out.
std::vector<TensorRule> export_rules(const model::TransformerConfig& config);

inline constexpr const char* special_token_keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};

/// What a config.json says.
struct HuggingFaceConfig {
  /// In the dtype that it names, with its dropout.
  model::TransformerConfig model;
  /// Those of `special_token_keys` that it has, with their values: an id, null, or for eos_token_id a list.
  nlohmann::json special_tokens;
};

/// Reads `directory`/config.json. Throws UserError that names the file and the key when the model is none of
/// those above, or has a key that our models do not compute or that nobody knows. Those of `ignore_keys` are
/// passed over as if they were not there; UserError for one that is not.
HuggingFaceConfig read_huggingface_config(const std::filesystem::path& directory,
                                          const std::vector<std::string>& ignore_keys = {});
/// The config.json of a model. `special_tokens` as above; ids that it lacks are written as null. Throws
/// UserError that says why when no class above computes the model, or Transformers would not load it.
std::string huggingface_config(const model::TransformerConfig& config,
                               const nlohmann::json& special_tokens = nlohmann::json::object());

/// The logical tensors of the model in a directory, made when they are asked for. Throws UserError that names
/// the tensors when those in the safetensors files are not exactly what the configuration needs: missing, of
/// another shape or not floating-point, left over (what Transformers itself ignores aside), or twice there.
/// The source throws it for a tensor that holds NaN or infinity.
TensorSource import_huggingface(const std::filesystem::path& directory,
                                const model::TransformerConfig& config);

struct HuggingFaceExport {
  model::TransformerConfig config;
  /// Our logical tensors, whole.
  TensorSource tensors;
  nlohmann::json special_tokens = nlohmann::json::object();
  /// A new file is begun when a tensor would make one larger than this.
  std::uint64_t max_shard_bytes = 5'000'000'000;
  /// Written beside the model, name → content: the tokenizer's files and the like.
  std::map<std::string, std::string> extra_files = {};
};

/// Writes a directory that `from_pretrained` reads. Whatever happens, `directory` holds a whole model or does
/// not exist. Throws UserError when it exists already, and for weights that are NaN or infinite.
void export_huggingface(const HuggingFaceExport& source, const std::filesystem::path& directory);

/// The logical tensors of a model that this process holds whole.
TensorSource tensors_of(const model::GPTModel& model);
/// Fills the parameters that `model` holds, whatever its part of the whole, from logical tensors. Throws
/// UserError that names the parameter and `origin`, where the tensors come from, when shapes differ.
void load_weights(const TensorSource& tensors, model::GPTModel& model, const std::filesystem::path& origin);

}  // namespace primus::checkpoint
