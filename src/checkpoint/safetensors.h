#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"

namespace primus::checkpoint {

/// One tensor of a safetensors file.
struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  /// Bytes from the start of the file; set by the reader and the writer.
  std::uint64_t offset = 0;

  std::int64_t numel() const;
  std::uint64_t byte_size() const;
};

using Metadata = std::map<std::string, std::string>;

/// The format's name of a dtype, e.g. "BF16", and back. Throws UserError for one that the format lacks, or
/// that libtorch lacks.
std::string safetensors_dtype(at::ScalarType dtype);
at::ScalarType parse_safetensors_dtype(const std::string& name);

/// A safetensors file (https://github.com/huggingface/safetensors): 8 bytes of header length, a JSON header,
/// the tensors' bytes without gaps. The file is mapped, so opening reads the header alone.
///
///     const SafetensorsFile file("model.safetensors");
///     for (const TensorInfo& info : file.tensors()) use(info.name, file.tensor(info.name));
class SafetensorsFile {
 public:
  /// Throws UserError that says what is wrong when the file is missing, is not of this format, or is damaged
  /// (cut off, bad header, offsets that overlap or do not fit the shapes).
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  /// In the order in which they lie in the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// The free text pairs under "__metadata__".
  const Metadata& metadata() const { return metadata_; }

  /// Null when there is none of that name.
  const TensorInfo* find(const std::string& name) const;
  /// A read-only view of the mapping, which it keeps alive: clone it before writing to it. Throws UserError
  /// that names file and tensor when there is none of that name.
  at::Tensor tensor(const std::string& name) const;
  std::span<const std::byte> bytes(const TensorInfo& info) const;

 private:
  void read_header();

  std::shared_ptr<const MappedFile> mapping_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t> index_;
  Metadata metadata_;
};

/// Writes a safetensors file tensor by tensor, so that no second copy of the model is held in memory. The
/// bytes are those that the original library writes for the same tensors.
///
///     SafetensorsWriter writer(path, {{.name = "w", .dtype = at::kFloat, .shape = {2, 3}}});
///     writer.write("w", tensor);
///     writer.finish();
class SafetensorsWriter {
 public:
  /// Creates the file and writes its header. Throws SystemError (disk full, no permission), and Error when
  /// two tensors have the same name.
  SafetensorsWriter(std::filesystem::path path, std::vector<TensorInfo> tensors,
                    const Metadata& metadata = {});

  /// The declared tensors with their place in the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// Writes a tensor of the declared dtype and shape, in any order; one on a device is copied to the host.
  void write(const std::string& name, const at::Tensor& tensor);
  /// Waits until everything is on the disk. Throws Error when a declared tensor was not written.
  void finish();

 private:
  std::filesystem::path path_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t> missing_;
  FileDescriptor file_;
};

/// Writes all tensors at once.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& tensors,
                       const Metadata& metadata = {});

/// The bytes of a contiguous tensor in the host's memory.
std::span<const std::byte> bytes_of(const at::Tensor& tensor);

}  // namespace primus::checkpoint
