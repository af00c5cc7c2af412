#pragma once

#include <map>
#include <memory>
#include <string>

#include "checkpoint/safetensors.h"

namespace primus::checkpoint {

inline constexpr const char* single_file = "model.safetensors";
inline constexpr const char* hf_index_file = "model.safetensors.index.json";

/// The safetensors file or files of a Hugging Face directory, by the index when there is one.
class HuggingFaceFiles {
 public:
  /// Reads all headers. Throws UserError when there is no such file, when the index names a file outside of
  /// the directory, one that is missing or a tensor that is not in it, and when a tensor is in two files.
  explicit HuggingFaceFiles(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }
  /// The file that holds each tensor.
  const std::map<std::string, const SafetensorsFile*>& tensors() const { return tensors_; }

 private:
  void open_indexed_files(const std::filesystem::path& index);
  void open(const std::string& file);

  std::filesystem::path directory_;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const SafetensorsFile*> tensors_;
};

/// Throws UserError when a tensor holds NaN or infinity.
void require_finite(const at::Tensor& tensor, const std::string& name);

}  // namespace primus::checkpoint
