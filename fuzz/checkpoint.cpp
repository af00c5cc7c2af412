#include <c10/core/ScalarType.h>

#include <stdexcept>

#include "checkpoint/huggingface.h"
#include "checkpoint/index.h"
#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/json.h"
#include "fuzz/input_files.h"
#include "fuzz/targets.h"
#include "tokenizer/options_json.h"

namespace primus::fuzz {

void read_safetensors(std::string_view bytes) {
  const InputFiles files("m.safetensors", bytes);
  const checkpoint::SafetensorsFile file(files / "m.safetensors");
  for (const checkpoint::TensorInfo& info : file.tensors()) {
    const at::Tensor tensor = file.tensor(info.name);
    if (tensor.nbytes() != info.byte_size() || file.bytes(info).size() != info.byte_size())
      throw std::logic_error("a tensor of another size than its bytes: " + info.name);
  }
}

/// The sections index.json and common.json of a checkpoint of this program.
void read_checkpoint(std::string_view bytes) {
  const InputFiles files(bytes);
  checkpoint::parse_index(read_file(files / "index.json"), files / "index.json");
  const nlohmann::json common = read_json(files / "common.json");
  if (!common.is_object() || !common.contains("architecture") || !common.contains("tokenizer")) return;
  model::transformer_config_from_json(common["architecture"].dump(), "common.json");
  tokenizer::tokenizer_options_from_json(common["tokenizer"]);
}

/// The sections config.json, model.safetensors.index.json and model.safetensors (or the index's files).
void read_huggingface_model(std::string_view bytes) {
  const InputFiles files(bytes);
  const model::TransformerConfig config = checkpoint::read_huggingface_config(files.folder()).model;
  const checkpoint::TensorSource tensors = checkpoint::import_huggingface(files.folder(), config);
  for (const checkpoint::TensorRule& rule : checkpoint::import_rules(config)) tensors(rule.name);
}

}  // namespace primus::fuzz
