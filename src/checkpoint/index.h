#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "parallel/tensor_piece.h"

namespace primus::checkpoint {

/// Each piece carries the checksums of its bytes in blocks of this size, so that reading a part of it
/// (another layout) checks that part alone.
inline constexpr std::uint64_t checksum_block = 16U << 20;

/// A part of a logical tensor in a shard file; see parallel::TensorPiece for box and range.
struct StoredPiece {
  int shard = 0;
  /// The tensor's name in the shard file: the logical name when the piece is all of it.
  std::string key;
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> extent;
  std::int64_t flat_begin = 0;
  std::int64_t flat_end = 0;
  std::vector<std::string> checksums;
};

struct StoredTensor {
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::vector<StoredPiece> pieces;
};

/// What a checkpoint holds: logical tensors, and where their pieces lie.
struct Index {
  /// The size in bytes of every shard file, by shard number.
  std::map<int, std::uint64_t> shards;
  std::map<std::string, StoredTensor> tensors;

  /// Adds another rank's part. Throws Error when both do not agree on a tensor's dtype and shape.
  void merge(const Index& other);
};

nlohmann::json to_json(const Index& index);
/// Throws UserError naming `path` when the text is no index of this version.
Index parse_index(const std::string& text, const std::filesystem::path& path);

/// The key of a piece in its shard file, which tells a reader without the index what it is, e.g.
/// "decoder.final_layernorm.weight" or "output_layer.weight@128,0[0:4096]".
std::string piece_key(const parallel::TensorPiece& piece);

std::vector<std::string> block_checksums(std::span<const std::byte> bytes);

}  // namespace primus::checkpoint
