#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/index.h"
#include "checkpoint/safetensors.h"
#include "model/transformer_config.h"
#include "parallel/tensor_piece.h"

namespace primus::checkpoint {

/// A complete checkpoint, opened for reading: fills pieces of any layout from pieces of any other.
///
///     const Checkpoint checkpoint(find_checkpoint(folder)->path);
///     model::require_same(checkpoint.architecture(), model.config(), checkpoint.path());
///     checkpoint.load(parallel::weight_pieces(model, mesh));
///     scheduler.load(checkpoint.common().at("opt_param_scheduler"));
class Checkpoint {
 public:
  /// Reads index and common state, and looks at the shards' sizes: what `damage_of` asks. Throws UserError
  /// that names the file when it is missing or damaged, or when a shard is missing or has the wrong size.
  explicit Checkpoint(std::filesystem::path directory);

  const std::filesystem::path& path() const { return directory_; }
  const Index& index() const { return index_; }
  const nlohmann::json& common() const { return common_; }
  bool contains(const std::string& tensor) const { return index_.tensors.contains(tensor); }

  /// The model that it holds. Throws UserError when the common state has none that this program knows.
  model::TransformerConfig architecture() const;

  /// Fills the pieces, converting the dtype where it differs. Where a weight and its main weight are both
  /// among them, in either order, the weight becomes the rounded main weight. A vocabulary that is padded to
  /// another size here is cut, or filled up with zeros, as Megatron-Core does. All names and shapes are
  /// compared first, and nothing is written when they do not fit; the message lists the first tensors that
  /// differ. Throws UserError naming shard file and tensor when the bytes read do not have their checksums.
  void load(const std::vector<parallel::TensorPiece>& pieces) const;

  /// Reads all of a tensor, on the host.
  at::Tensor tensor(const std::string& name) const;

  /// Compares every byte with its checksum. Throws UserError at the first damage.
  void verify() const;

 private:
  void check_shards() const;
  void check_names_and_shapes(const std::vector<parallel::TensorPiece>& pieces) const;
  void load_piece(const parallel::TensorPiece& piece) const;
  const SafetensorsFile& shard(int number) const;
  /// The bytes of elements [first, last) of a stored piece, after their checksums were compared.
  std::span<const std::byte> checked_bytes(const std::string& name, const StoredPiece& piece,
                                           std::int64_t first, std::int64_t last) const;

  std::filesystem::path directory_;
  Index index_;
  nlohmann::json common_;
  /// Opened when first needed; not for use by several threads at once.
  mutable std::map<int, std::unique_ptr<SafetensorsFile>> open_shards_;
  mutable std::map<const StoredPiece*, std::vector<bool>> checked_blocks_;
};

}  // namespace primus::checkpoint
