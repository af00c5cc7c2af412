#include "checkpoint/huggingface_files.h"

#include <ATen/Functions.h>

#include "core/json_object.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;

HuggingFaceFiles::HuggingFaceFiles(const fs::path& directory) : directory_(directory) {
  // Transformers takes the single file first, too.
  if (fs::exists(directory / single_file)) {
    open(single_file);
  } else if (fs::exists(directory / hf_index_file)) {
    open_indexed_files(directory / hf_index_file);
  } else {
    const bool pickled =
        fs::exists(directory / "pytorch_model.bin") || fs::exists(directory / "pytorch_model.bin.index.json");
    throw_user_error(
        "{}: contains neither {} nor {}{}", directory.string(), single_file, hf_index_file,
        pickled ? "; pickled weights (pytorch_model.bin) are not read: save them as safetensors" : "");
  }
  if (fs::exists(directory / "adapter_config.json")) {
    throw_user_error(
        "{}: it contains an adapter (adapter_config.json), which would be lost: merge it into the model",
        directory.string());
  }
}

void HuggingFaceFiles::open_indexed_files(const fs::path& index) {
  const nlohmann::json document = read_json(index);
  const auto file_of = in_file(index, [&] {
    const JsonObject weight_map = JsonObject(document).object("weight_map");
    std::map<std::string, std::string> result;
    for (const std::string& name : weight_map.unread()) {
      const auto file = weight_map.get<std::string>(name);
      if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)
        weight_map.refuse(
            fmt::format("the file of '{}' is '{}', which is not in this directory", name, file));
      std::error_code ignored;
      if (!fs::exists(directory_ / file, ignored))
        weight_map.refuse(fmt::format("the file '{}' is missing", file));
      result[name] = file;
    }
    return result;
  });
  for (const auto& [name, file] : file_of) {
    if (!files_.contains(file)) open(file);
    if (files_.at(file)->find(name) == nullptr)
      throw_user_error("{}: 'weight_map': there is no tensor '{}' in '{}'", index.string(), name, file);
  }
}

void HuggingFaceFiles::open(const std::string& file) {
  const auto& opened = files_[file] = std::make_unique<SafetensorsFile>(directory_ / file);
  for (const TensorInfo& info : opened->tensors()) {
    const auto [known, is_new] = tensors_.emplace(info.name, opened.get());
    if (!is_new) {
      throw_user_error("{}: tensor '{}' is in two files, {} and {}", directory_.string(), info.name,
                       known->second->path().filename().string(), file);
    }
  }
}

void require_finite(const at::Tensor& tensor, const std::string& name) {
  if (!at::isfinite(tensor).all().item<bool>())
    throw_user_error("tensor {} holds NaN or infinity: the model is damaged, or its training has diverged",
                     name);
}

}  // namespace primus::checkpoint
