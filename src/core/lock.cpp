#include "core/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <thread>

#include "core/error.h"

namespace primus {

namespace fs = std::filesystem;

namespace {

/// The folders above `path` that are not there yet, the innermost first.
std::vector<fs::path> missing_folders(const fs::path& path) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  for (fs::path folder = path.parent_path(); !folder.empty() && !fs::exists(folder, ignored);
       folder = folder.parent_path())
    missing.push_back(folder);
  return missing;
}

std::string describe_this_process() {
  char host[256] = "?";
  ::gethostname(host, sizeof host - 1);
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("process {} on {}, since {}\n", ::getpid(), host, time);
}

/// Whether the file is still the one of that name: the holder before us removes it when it lets go.
bool is_at(const FileDescriptor& file, const fs::path& path) {
  struct stat opened{}, named{};
  return ::fstat(file.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

Lock::Lock(fs::path path, const Options& options) : path_(std::move(path)) {
  const auto deadline = std::chrono::steady_clock::now() + options.patience;
  while (!try_once(options.mode)) {
    if (std::chrono::steady_clock::now() >= deadline) refuse();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Lock::~Lock() {
  if (!file_.valid()) return;
  std::error_code ignored;
  // Of a shared lock the last holder removes the file.
  if (held_ && ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) fs::remove(path_, ignored);
  for (const fs::path& folder : made_folders_) ::rmdir(folder.c_str());
}

void Lock::open_file() {
  std::vector<fs::path> missing = missing_folders(path_);
  if (!missing.empty()) made_folders_ = std::move(missing);
  if (path_.has_parent_path()) make_directories(path_.parent_path());
  file_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  // A holder that lets go may remove its folder between both steps.
  if (!file_.valid() && errno != ENOENT) throw_file_error("cannot create " + path_.string(), errno);
}

/// True when the lock was taken, or cannot be taken because the file system has none.
bool Lock::try_once(Mode mode) {
  open_file();
  if (!file_.valid()) return false;
  if (::flock(file_.get(), (mode == Mode::exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
    return errno != EWOULDBLOCK && errno != EINTR;
  if (!is_at(file_, path_)) return false;
  held_ = true;
  if (mode == Mode::exclusive) write_holder();
  return true;
}

void Lock::share() {
  // Not one step for the kernel: it lets go first.
  if (held_ && ::flock(file_.get(), LOCK_SH | LOCK_NB) != 0) {
    held_ = false;
    refuse();
  }
}

void Lock::write_holder() const {
  const std::string text = describe_this_process();
  try {
    write_all_at(file_, std::as_bytes(std::span(text)), 0, path_);
    if (::ftruncate(file_.get(), static_cast<off_t>(text.size())) != 0) return;
  } catch (const SystemError&) {
    // A full disk: the lock holds all the same, and whoever is refused learns no name.
  }
}

void Lock::refuse() const {
  if (!file_.valid()) throw UserError(SystemError("cannot create " + path_.string(), ENOENT).what());
  std::string holder = "an unknown process";
  try {
    const std::string text = read_file(path_);
    if (text.starts_with("process ")) holder = text.substr(0, text.find('\n'));
  } catch (const Error&) {
    // It has just let go.
  }
  const fs::path place =
      path_.filename() == file_name ? path_.parent_path() : fs::path(path_).replace_extension();
  throw_user_error("{} is in use by {}: wait until it ends, or choose another place", place.string(), holder);
}

}  // namespace primus
