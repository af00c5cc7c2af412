#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
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
  std::function<at::Tensor(const TensorSource&)> make;
};

/// Every logical tensor of ours, made of Hugging Face's: queries, keys and values are packed per group, gate
/// and up projection joined, the vocabulary padded with zeros.
std::vector<TensorRule> import_rules(const model::TransformerConfig& config);
/// Every tensor of Hugging Face's, made of ours; rows that pad the vocabulary are left out.
std::vector<TensorRule> export_rules(const model::TransformerConfig& config);

/// The model that `directory`/config.json describes, in the dtype it names. Throws UserError that names the
/// file and the key when the model is none of those above.
model::TransformerConfig read_huggingface_config(const std::filesystem::path& directory,
                                                 std::int64_t make_vocab_size_divisible_by = 128);
/// The config.json of a model. Throws UserError that says why when Hugging Face's classes cannot express it.
std::string huggingface_config(const model::TransformerConfig& config);

/// Opens the safetensors file or files of a directory. Tensors, by Hugging Face's names, are read only when
/// they are asked for.
TensorSource open_huggingface_tensors(const std::filesystem::path& directory);
/// The logical tensors of the model in a directory, made when they are asked for.
TensorSource import_huggingface(const std::filesystem::path& directory,
                                const model::TransformerConfig& config);

struct HuggingFaceExport {
  model::TransformerConfig config;
  /// Our logical tensors, whole.
  TensorSource tensors;
  /// A new file is begun when a tensor would make one larger than this.
  std::uint64_t max_shard_bytes = 5'000'000'000;
  /// Copied beside the model: tokenizer.json and the like.
  std::vector<std::filesystem::path> extra_files = {};
};

/// Writes a directory that `from_pretrained` reads. Whatever happens, `directory` holds a whole model or does
/// not exist. Throws UserError when it exists already.
void export_huggingface(const HuggingFaceExport& source, const std::filesystem::path& directory);

/// The logical tensors of a model that this process holds whole.
TensorSource tensors_of(const model::GPTModel& model);
/// Fills the parameters that `model` holds, whatever its part of the whole, from logical tensors. Throws
/// UserError that names the parameter when shapes differ.
void load_weights(const TensorSource& tensors, model::GPTModel& model);

}  // namespace primus::checkpoint
