#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace primus {

/// Owns a POSIX file descriptor and closes it.
class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor = -1) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return descriptor_; }
  bool valid() const { return descriptor_ >= 0; }
  void close();

 private:
  int descriptor_;
};

/// A whole file mapped read-only into memory.
class MappedFile {
 public:
  /// Throws UserError for what is not a regular file, and as `throw_file_error` when it cannot be opened.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The content of a file. Throws as `throw_file_error` when it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Creates or truncates a file and opens it for writing. Throws as `throw_file_error`.
FileDescriptor open_for_writing(const std::filesystem::path& path);

/// Writes all bytes, however often the kernel takes only a part. Throws SystemError naming `path`.
void write_all(const FileDescriptor& file, std::span<const std::byte> bytes,
               const std::filesystem::path& path);
/// The same from byte `offset` of the file on, wherever its position is.
void write_all_at(const FileDescriptor& file, std::span<const std::byte> bytes, std::uint64_t offset,
                  const std::filesystem::path& path);

/// Waits until a file's content, or a directory's entries, are on the disk. Throws SystemError.
void sync_file(const FileDescriptor& file, const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);

/// Replaces `path` by `content` so that a reader, or a crash, sees the old file or the new one and nothing
/// between: temporary file beside it, fsync, rename, fsync of the directory. Throws as AtomicFile.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// In the names of files that an AtomicFile has not committed: they are left over when the process was
/// killed.
inline constexpr std::string_view temporary_mark = ".tmp-";

/// A file that is written piece by piece and appears under its name, replacing what was there, only when
/// `commit` has flushed it to the disk. Destroyed before that, it leaves nothing behind. A device or a pipe
/// is not replaced but written to. Throws as `throw_file_error`.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  FileDescriptor file_;
};

/// Gives a file or directory another name on the same file system. Throws SystemError.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Creates a directory and its parents; fine when it exists. Throws as `throw_file_error`.
void make_directories(const std::filesystem::path& path);

}  // namespace primus
