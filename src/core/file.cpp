#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

#include "core/error.h"

namespace primus {

namespace fs = std::filesystem;

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

FileDescriptor::~FileDescriptor() { close(); }

void FileDescriptor::close() {
  if (valid()) ::close(std::exchange(descriptor_, -1));
}

namespace {

FileDescriptor open_for_reading(const fs::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) throw_file_error("cannot read " + path.string(), errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw SystemError("cannot stat " + path.string(), errno);
  if (!S_ISREG(status.st_mode))
    throw UserError(fmt::format("cannot read {}: not a regular file", path.string()));
  return file;
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const FileDescriptor file = open_for_reading(path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw SystemError("cannot stat " + path.string(), errno);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) throw SystemError("cannot map " + path.string(), errno);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_file(const fs::path& path) {
  const FileDescriptor file = open_for_reading(path);
  std::string content;
  char block[1 << 16];
  for (;;) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count == 0) return content;
    if (count > 0) {
      content.append(block, static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      throw SystemError("cannot read " + path.string(), errno);
    }
  }
}

FileDescriptor open_for_writing(const fs::path& path) {
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) throw_file_error("cannot create " + path.string(), errno);
  return file;
}

void write_all(const FileDescriptor& file, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      throw SystemError("cannot write " + path.string(), errno);
    }
  }
}

void write_all_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
                  const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    } else if (errno != EINTR) {
      throw SystemError("cannot write " + path.string(), errno);
    }
  }
}

void sync_file(const FileDescriptor& file, const fs::path& path) {
  if (::fsync(file.get()) != 0) throw SystemError("cannot flush " + path.string(), errno);
}

void sync_directory(const fs::path& path) {
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) throw SystemError("cannot open directory " + path.string(), errno);
  sync_file(directory, path);
}

namespace {

/// The file behind a name: renaming to a symbolic link would replace the link.
fs::path behind_links(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return path;
  const fs::path target = fs::canonical(path, error);
  return error ? path : target;
}

/// A device or a pipe, such as /dev/stdout.
bool is_special(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(behind_links(path)) {
  if (is_special(path_)) {
    temporary_ = path_;
    file_ = open_for_writing(path_);
    return;
  }
  // Not the process's number: others on the same disk may have it on their machine or in their container.
  std::random_device random;
  do {
    temporary_ = path_.string() + fmt::format("{}{:08x}", temporary_mark, random());
    file_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  } while (!file_.valid() && errno == EEXIST);
  if (!file_.valid()) throw_file_error("cannot create " + path_.string(), errno);
}

AtomicFile::~AtomicFile() {
  if (!file_.valid() || temporary_ == path_) return;
  std::error_code ignored;
  fs::remove(temporary_, ignored);
}

void AtomicFile::write(std::span<const std::byte> bytes) { write_all(file_, bytes, temporary_); }

void AtomicFile::commit() {
  if (temporary_ == path_) return file_.close();
  sync_file(file_, temporary_);
  rename_file(temporary_, path_);
  file_.close();
  sync_directory(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(content)));
  file.commit();
}

void rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw SystemError(fmt::format("cannot rename {} to {}", from.string(), to.string()), errno);
}

void make_directories(const fs::path& path) {
  // Another process may remove an empty directory while the ones inside of it are made: then from the start.
  constexpr int attempts = 100;
  std::error_code error;
  for (int i = 0; i < attempts; ++i) {
    fs::create_directories(path, error);
    if (error != std::errc::file_exists && error != std::errc::no_such_file_or_directory) break;
  }
  if (error) throw_file_error("cannot create directory " + path.string(), error.value());
}

}  // namespace primus
