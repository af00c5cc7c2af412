#include "checkpoint/writer.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "checkpoint/index.h"
#include "checkpoint/layout.h"
#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/file.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;

namespace {

/// A rank's part of the index, until rank 0 has merged it.
fs::path index_part_file(const fs::path& directory, int rank) {
  return directory / fmt::format("index_{:05d}.json", rank);
}

Index write_shard(const fs::path& directory, const std::vector<parallel::TensorPiece>& pieces, int rank) {
  Index index;
  std::vector<TensorInfo> infos;
  for (const parallel::TensorPiece& piece : pieces) {
    if (piece.replica) continue;
    infos.push_back({.name = piece_key(piece), .dtype = piece.dtype(), .shape = piece.data.sizes().vec()});
  }
  SafetensorsWriter writer(shard_file(directory, rank), std::move(infos));
  for (const parallel::TensorPiece& piece : pieces) {
    if (piece.replica) continue;
    const at::Tensor data = piece.values().cpu().contiguous();
    writer.write(piece_key(piece), data);
    Index one;
    one.tensors[piece.name] = {.dtype = data.scalar_type(),
                               .shape = piece.global_shape,
                               .pieces = {{.shard = rank,
                                           .key = piece_key(piece),
                                           .offset = piece.offset,
                                           .extent = piece.extent,
                                           .flat_begin = piece.flat_begin,
                                           .flat_end = piece.flat_end,
                                           .checksums = block_checksums(bytes_of(data))}}};
    index.merge(one);
  }
  writer.finish();
  index.shards[rank] = fs::file_size(shard_file(directory, rank));
  return index;
}

Index merge_parts(const fs::path& directory, int world_size) {
  Index index;
  for (int rank = 0; rank < world_size; ++rank) {
    const fs::path part = index_part_file(directory, rank);
    index.merge(parse_index(read_file(part), part));
    fs::remove(part);
  }
  return index;
}

/// Gives the temporary its final name. A checkpoint of that name (the iteration is saved again) is swapped
/// out in one step where the file system can, so that at no moment there is none.
void publish(const fs::path& temporary, const fs::path& directory) {
  if (fs::exists(directory)) {
    const int swapped =
        ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE);
    fs::remove_all(swapped == 0 ? temporary : directory);
    if (swapped == 0) return;
  }
  if (::rename(temporary.c_str(), directory.c_str()) != 0)
    throw SystemError("cannot rename " + temporary.string(), errno);
}

void commit(const fs::path& temporary, const fs::path& directory, const nlohmann::json& common,
            int world_size) {
  const Index index = merge_parts(temporary, world_size);
  write_file_atomically(temporary / index_file, to_json(index).dump());
  write_file_atomically(temporary / common_file, common.dump(2) + "\n");
  publish(temporary, directory);
  const fs::path folder = directory.parent_path();
  sync_directory(folder);
  const std::string name = directory.filename().string();
  const bool release = directory == release_directory(folder);
  write_file_atomically(tracker_file(folder),
                        release ? name : std::to_string(std::stoll(name.substr(name.find('_') + 1))));
}

void save_steps(const fs::path& temporary, const fs::path& directory,
                const std::vector<parallel::TensorPiece>& pieces, const nlohmann::json& common,
                const Participants& participants) {
  const auto barrier = [&] {
    if (participants.barrier) participants.barrier();
  };
  const int rank = participants.rank;
  if (rank == 0) {
    make_directories(directory.parent_path());
    remove_stale_temporaries(directory.parent_path());
    make_directories(temporary);
  }
  barrier();
  const Index part = write_shard(temporary, pieces, rank);
  write_file_atomically(index_part_file(temporary, rank), to_json(part).dump());
  barrier();
  if (rank == 0) commit(temporary, directory, common, participants.world_size);
  barrier();
}

}  // namespace

void save(const fs::path& directory, const std::vector<parallel::TensorPiece>& pieces,
          const nlohmann::json& common, const Participants& participants) {
  const fs::path temporary = temporary_directory(directory);
  // Rank 0 alone: another rank whose barrier fails cannot know whether rank 0 is just publishing the
  // temporary, and would delete from under its final name.
  const auto clean_up = [&] {
    std::error_code ignored;
    if (participants.rank == 0) fs::remove_all(temporary, ignored);
  };
  const auto fail = [&](const char* reason) {
    clean_up();
    throw Error(fmt::format("checkpoint {} could not be saved: {}. Older checkpoints are untouched",
                            directory.string(), reason));
  };
  try {
    save_steps(temporary, directory, pieces, common, participants);
  } catch (const SystemError& error) {
    fail(error.what());
  } catch (const UserError& error) {  // Whatever is wrong with a file here, it is no input.
    fail(error.what());
  } catch (const fs::filesystem_error& error) {
    fail(error.what());
  } catch (...) {
    clean_up();
    throw;
  }
}

void prune(const fs::path& folder, std::int64_t iteration, std::int64_t retain_interval) {
  if (retain_interval <= 0 || iteration % retain_interval == 0) return;
  const fs::path directory = iteration_directory(folder, iteration);
  std::error_code ignored;
  if (fs::is_symlink(directory, ignored)) return;
  // Renamed first: a deletion that is cut short must not leave half a checkpoint under its name.
  const fs::path temporary = temporary_directory(directory);
  fs::rename(directory, temporary, ignored);
  fs::remove_all(temporary, ignored);
}

}  // namespace primus::checkpoint
