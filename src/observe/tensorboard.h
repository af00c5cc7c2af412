#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/file.h"

namespace primus::observe {

using Scalars = std::vector<std::pair<std::string, double>>;

/// Writes scalars for TensorBoard: a file of TFRecords (length, CRC, bytes, CRC) of Event messages, encoded
/// here, since they are a handful of protobuf fields..
///
///     TensorBoardWriter writer(run_directory / "tensorboard");
///     writer.add(iteration, {{"learning-rate", 1e-4}, {"lm loss", 3.2}});
class TensorBoardWriter {
 public:
  /// Creates the folder, and a file in it with the name that TensorBoard looks for.
  explicit TensorBoardWriter(const std::filesystem::path& folder);

  void add(std::int64_t step, const Scalars& scalars);
  const std::filesystem::path& path() const { return path_; }

 private:
  void write_record(const std::string& event);

  std::filesystem::path path_;
  FileDescriptor file_;
};

/// CRC-32C (Castagnoli), and TensorFlow's masked form of it.
std::uint32_t crc32c(std::span<const std::byte> bytes);
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

}  // namespace primus::observe
