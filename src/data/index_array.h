#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace primus::data {

/// A read-only array of integers, in memory or mapped from a `.npy` file of numpy's (format 1.0). Copies
/// share the content.
class IndexArray {
 public:
  enum class Type { int16, int32, uint32, int64 };

  IndexArray() = default;
  /// `columns` is 0 for a one-dimensional array, or the width of the rows of a two-dimensional one.
  explicit IndexArray(std::vector<std::int16_t> values, std::int64_t columns = 0);
  explicit IndexArray(std::vector<std::int32_t> values, std::int64_t columns = 0);
  explicit IndexArray(std::vector<std::uint32_t> values, std::int64_t columns = 0);
  explicit IndexArray(std::vector<std::int64_t> values, std::int64_t columns = 0);

  /// Maps a file; nothing when it is missing, damaged, or not an array of such integers.
  static std::optional<IndexArray> load(const std::filesystem::path& path);
  /// Writes the bytes that `numpy.save` writes, atomically. Throws SystemError.
  void save(const std::filesystem::path& path) const;

  /// The number of values, counted over all columns.
  std::int64_t size() const { return size_; }
  std::int64_t operator[](std::int64_t index) const;
  Type type() const { return type_; }

 private:
  template <typename T>
  void own(std::vector<T> values, std::int64_t columns, Type type);

  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
  std::int64_t size_ = 0;
  std::int64_t columns_ = 0;
  Type type_ = Type::int64;
};

}  // namespace primus::data
