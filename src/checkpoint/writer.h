#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "parallel/tensor_piece.h"

namespace primus::checkpoint {

/// The ranks that save together.
struct Participants {
  int rank = 0;
  int world_size = 1;
  /// Returns when all ranks have called it; empty when there is one.
  std::function<void()> barrier = {};
};

/// Saves a checkpoint so that whatever kills the process, the last complete one loads: every rank writes its
/// pieces (replicas are left out) into a temporary directory and waits until they are on the disk; then rank
/// 0 writes the index, renames the directory, and moves the tracker file.
///
///     auto pieces = parallel::weight_pieces(model, mesh);          // and optimizer.state_pieces()
///     checkpoint::save(checkpoint::iteration_directory(folder, 100), pieces, common);
///
/// `common` is kept as common.json; its "architecture", an object of argument names and values, is compared
/// when a checkpoint is loaded. All ranks pass the same directory, rank 0's `common` is written.
/// Throws Error when the disk is full or not writable; older checkpoints stay, and rank 0, which fails
/// with any other rank through its barrier, removes the temporary.
void save(const std::filesystem::path& directory, const std::vector<parallel::TensorPiece>& pieces,
          const nlohmann::json& common, const Participants& participants = {});

/// Deletes checkpoint `iteration`, when it is there, unless it is a multiple of `retain_interval` (0: none is
/// kept): Megatron's save_retain_interval. Called after a later one was saved.
void prune(const std::filesystem::path& folder, std::int64_t iteration, std::int64_t retain_interval);

}  // namespace primus::checkpoint
