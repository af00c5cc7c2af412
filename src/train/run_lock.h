#pragma once

#include <string>
#include <vector>

#include "core/lock.h"
#include "parallel/mesh.h"
#include "train/run_directory.h"

namespace primus::train {

/// Keeps other runs out of a run's directory. All ranks hold it, so that after a crash no other run begins
/// while one of them still writes.
class RunLock {
 public:
  /// All ranks call it. Throws UserError on every rank, with the holder's name, when another run is in the
  /// directory. `saves`: the folder of checkpoints is locked too, against whoever writes to it alone.
  RunLock(const RunDirectory& directory, bool saves, const parallel::Mesh& mesh);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  /// The inner folder first: what was made for the locks and is empty goes away with them.
  ~RunLock() {
    while (!locks_.empty()) locks_.pop_back();
  }

  /// Where the file system has no locks: what to tell the user; otherwise empty.
  std::string warning() const;

 private:
  std::vector<Lock> locks_;
  std::filesystem::path root_;
};

}  // namespace primus::train
