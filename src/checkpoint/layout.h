#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace primus::checkpoint {

// A folder of checkpoints, laid out as Megatron's:
//
//   latest_checkpointed_iteration.txt   "100", or "release" for weights that come from elsewhere
//   iter_0000100/
//     index.json                        logical tensors and where their pieces lie
//     common.json                       what belongs to no tensor: iteration, samples, schedule, ...
//     shard_00000.safetensors           the pieces that rank 0 saved
//   .tmp_iter_0000200/                  a save that is going on, or that was killed
//   .lock                               says who writes to the folder (core/lock.h)

inline constexpr const char* index_file = "index.json";
inline constexpr const char* common_file = "common.json";

/// One checkpoint in such a folder.
struct Location {
  std::filesystem::path path;
  /// 0 for a release.
  std::int64_t iteration = 0;
  bool release = false;
  /// For the user, when the tracker file did not lead here: what was wrong, and what was taken instead.
  std::string note = {};
};

std::filesystem::path iteration_directory(const std::filesystem::path& folder, std::int64_t iteration);
std::filesystem::path release_directory(const std::filesystem::path& folder);
/// Where a checkpoint is put together before it gets its final name.
std::filesystem::path temporary_directory(const std::filesystem::path& final_directory);
std::filesystem::path shard_file(const std::filesystem::path& directory, int rank);
std::filesystem::path tracker_file(const std::filesystem::path& folder);

/// The checkpoint to continue from: the one the tracker file names, or `iteration` when given (ckpt_step).
/// Without a tracker file it is the newest complete checkpoint, and nothing when there is no checkpoint at
/// all. Throws UserError when the tracker cannot be understood, when the checkpoint is missing or damaged, or
/// when all are damaged; the message lists the complete ones.
std::optional<Location> find_checkpoint(const std::filesystem::path& folder,
                                        std::optional<std::int64_t> iteration = {});

/// Every directory that has a checkpoint's name, complete or not, by iteration; a release comes first. Empty
/// when the folder is not there.
std::vector<Location> list_checkpoints(const std::filesystem::path& folder);

/// What is wrong with the files of a checkpoint, or empty when it is complete: index and common state can be
/// read, and every shard is there in its size. Cheap, since no tensor is read; `Checkpoint::verify` compares
/// the bytes.
std::string damage_of(const std::filesystem::path& directory);

/// Removes what killed saves have left. Returns how many there were.
int remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace primus::checkpoint
