#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/file.h"
#include "data/dataset.h"

namespace primus::data {

/// How tokens lie in a `.bin` file; the values are the codes in the `.idx` file.
enum class TokenType : std::uint8_t {
  uint8 = 1,
  int8 = 2,
  int16 = 3,
  int32 = 4,
  int64 = 5,
  float64 = 6,
  float32 = 7,
  uint16 = 8
};

/// Bytes per token.
std::size_t size_of(TokenType type);

/// Two bytes where all ids of a vocabulary fit, as Megatron chooses (below 65,500), otherwise four.
TokenType token_type_for(std::int64_t vocab_size);

/// The first nine bytes of an `.idx` file, and its version.
inline constexpr std::string_view index_magic{"MMIDIDX\0\0", 9};
inline constexpr std::uint64_t index_version = 1;

/// `prefix` with ".idx" or ".bin" appended.
std::filesystem::path index_path(const std::string& prefix);
std::filesystem::path tokens_path(const std::string& prefix);

/// Of these two files those that are not there, one message each.
std::vector<std::string> missing_files(const std::string& prefix);

/// Numbers inside of a mapped file, where nothing is aligned.
template <typename T>
class PackedArray {
 public:
  PackedArray() = default;
  PackedArray(const std::byte* data, std::int64_t size) : data_(data), size_(size) {}

  std::int64_t size() const { return size_; }
  T operator[](std::int64_t index) const {
    T value;
    std::memcpy(&value, data_ + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes() const { return {data_, static_cast<std::size_t>(size_) * sizeof(T)}; }

 private:
  const std::byte* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// Megatron's pair of files `<prefix>.idx` and `<prefix>.bin`, mapped into memory. Sizes are checked when
/// they are opened; a file that another program cuts off later ends the process with SIGBUS.
///
/// The index holds: magic, version (u64), token type (u8), number of sequences n (u64) and of document
/// boundaries d (u64), n lengths in tokens (i32), n byte offsets into the .bin (i64), d boundaries in
/// sequences (i64, the first 0, the last n). All little-endian. A multimodal index has n modes (i8) after
/// that.
class IndexedDataset : public SequenceSource {
 public:
  /// Opens and checks both files. Throws UserError naming the file and what is missing, cut off or
  /// inconsistent.
  explicit IndexedDataset(const std::string& prefix);

  std::int64_t sequence_count() const override { return lengths_.size(); }
  std::int32_t length(std::int64_t sequence) const override { return lengths_[sequence]; }
  void read(std::int64_t sequence, std::int64_t offset, std::span<std::int64_t> tokens) const override;
  std::string description() const override { return prefix_; }
  /// Of all of the .idx, and of the .bin its size and `sampled_blocks` blocks of 64 KiB, evenly spaced from
  /// the first to the last.
  std::string fingerprint() const override;
  static constexpr std::size_t sampled_blocks = 64;

  const std::string& prefix() const { return prefix_; }
  TokenType token_type() const { return type_; }
  /// Document d is the sequences from boundary d up to boundary d + 1.
  const PackedArray<std::int64_t>& document_boundaries() const { return boundaries_; }
  const PackedArray<std::int32_t>& lengths() const { return lengths_; }
  std::int64_t document_count() const { return boundaries_.size() - 1; }
  std::int64_t token_count() const { return token_count_; }
  /// The raw tokens of all sequences, as they lie in the .bin file.
  std::span<const std::byte> raw_tokens() const { return tokens_.bytes(); }
  bool multimodal() const { return multimodal_; }

 private:
  void read_index();
  void check_consistency();
  [[noreturn]] void refuse(const std::string& what) const;

  std::string prefix_;
  MappedFile index_;
  MappedFile tokens_;
  TokenType type_ = TokenType::int32;
  PackedArray<std::int32_t> lengths_;
  PackedArray<std::int64_t> offsets_;
  PackedArray<std::int64_t> boundaries_;
  std::int64_t token_count_ = 0;
  bool multimodal_ = false;
};

}  // namespace primus::data
