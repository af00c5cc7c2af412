#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/file.h"

namespace primus {

/// Keeps other programs out of a folder, or away from a file, for as long as the object lives. The lock is
/// the kernel's (flock) on a small file that says who holds it, so it ends with its process, however that
/// ends; a lock file that a killed process has left behind locks nothing.
///
///     const Lock lock(folder / Lock::file_name);                 // nobody else writes to the folder
///     const Lock lock(prefix + ".lock");                         // nor to the files of this prefix
///
/// On NFS the kernel asks the server, and the lock holds for all its clients; mounted without locks
/// (`nolock`, or Lustre without `flock`) it holds on this machine or not at all. In the latter case `held()`
/// is false.
class Lock {
 public:
  static constexpr const char* file_name = ".lock";

  enum class Mode {
    exclusive,
    /// Several may hold the lock, and together they keep exclusive holders out.
    shared
  };
  struct Options {
    Mode mode = Mode::exclusive;
    /// How long to wait for a holder to go: one that was killed takes a moment to end.
    std::chrono::milliseconds patience = std::chrono::seconds(2);
  };

  /// Makes the lock file, with the folders that it needs. Throws UserError that names the holder's host,
  /// process and start when the lock is taken, or the reason when the file cannot be made.
  explicit Lock(std::filesystem::path path, const Options& options);
  explicit Lock(std::filesystem::path path) : Lock(std::move(path), Options{}) {}
  Lock(Lock&& other) noexcept = default;
  Lock& operator=(Lock&&) = delete;
  /// Lets go, and removes the lock file and those folders that were made for it and are still empty.
  ~Lock();

  /// False where the file system has no locks: then nothing keeps others out.
  bool held() const { return held_; }
  /// Lets other holders of mode `shared` in. Throws UserError when somebody else has taken the lock
  /// meanwhile.
  void share();

 private:
  bool try_once(Mode mode);
  void open_file();
  void write_holder() const;
  [[noreturn]] void refuse() const;

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_folders_;
  FileDescriptor file_;
  bool held_ = false;
};

}  // namespace primus
