#include "train/run_lock.h"

#include <algorithm>

#include "core/error.h"

namespace primus::train {

RunLock::RunLock(const RunDirectory& directory, bool saves, const parallel::Mesh& mesh)
    : root_(directory.root) {
  std::vector<std::filesystem::path> paths = {directory.root / Lock::file_name};
  if (saves) paths.push_back(directory.checkpoints() / Lock::file_name);
  const bool first = mesh.world().rank() == 0;
  // Rank 0 decides for all; then it lets the other ranks in beside it.
  std::string refusal;
  if (first) {
    try {
      for (const auto& path : paths) locks_.emplace_back(path);
      for (Lock& lock : locks_) lock.share();
    } catch (const UserError& error) {
      refusal = error.what();
    }
  }
  refusal = mesh.world().all_gather_text(refusal)[0];
  if (!refusal.empty()) throw UserError(refusal);
  if (!first) {
    for (const auto& path : paths) locks_.emplace_back(path, Lock::Options{.mode = Lock::Mode::shared});
  }
}

std::string RunLock::warning() const {
  if (std::ranges::all_of(locks_, &Lock::held)) return "";
  return fmt::format(
      "the file system of {} does not support locks: nothing prevents a second run from writing to it",
      root_.string());
}

}  // namespace primus::train
