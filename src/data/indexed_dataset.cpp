#include "data/indexed_dataset.h"

#include <algorithm>

#include "core/error.h"
#include "core/file_kind.h"
#include "core/hash.h"

namespace primus::data {

namespace fs = std::filesystem;

std::string_view to_string(Split split) {
  switch (split) {
    case Split::train: return "train";
    case Split::valid: return "valid";
    case Split::test: return "test";
  }
  throw Error("no such split");
}

std::size_t size_of(TokenType type) {
  switch (type) {
    case TokenType::uint8:
    case TokenType::int8: return 1;
    case TokenType::int16:
    case TokenType::uint16: return 2;
    case TokenType::int32:
    case TokenType::float32: return 4;
    case TokenType::int64:
    case TokenType::float64: return 8;
  }
  return 0;
}

TokenType token_type_for(std::int64_t vocab_size) {
  return vocab_size < 65500 ? TokenType::uint16 : TokenType::int32;
}

fs::path index_path(const std::string& prefix) { return prefix + ".idx"; }
fs::path tokens_path(const std::string& prefix) { return prefix + ".bin"; }

namespace {

constexpr std::size_t header_size = index_magic.size() + 8 + 1 + 8 + 8;

template <typename T>
T read_number(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename T>
void widen(const std::byte* raw, std::span<std::int64_t> tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    T value;
    std::memcpy(&value, raw + i * sizeof value, sizeof value);
    tokens[i] = static_cast<std::int64_t>(value);
  }
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Says that a file is not there; users often name a prefix with its extension.
std::string missing_message(const std::string& prefix, const fs::path& path) {
  const bool has_extension = prefix.ends_with(".bin") || prefix.ends_with(".idx");
  return fmt::format("dataset file {} does not exist{}", path.string(),
                     has_extension ? "; give the path without .bin or .idx" : "");
}

MappedFile open_part(const std::string& prefix, const fs::path& path) {
  if (!fs::exists(path)) throw UserError(missing_message(prefix, path));
  return MappedFile(path);
}

}  // namespace

std::vector<std::string> missing_files(const std::string& prefix) {
  std::vector<std::string> missing;
  for (const fs::path& path : {index_path(prefix), tokens_path(prefix)}) {
    if (!fs::exists(path)) missing.push_back(missing_message(prefix, path));
  }
  return missing;
}

IndexedDataset::IndexedDataset(const std::string& prefix)
    : prefix_(prefix),
      index_(open_part(prefix, index_path(prefix))),
      tokens_(open_part(prefix, tokens_path(prefix))) {
  read_index();
  check_consistency();
}

void IndexedDataset::refuse(const std::string& what) const {
  throw_user_error("dataset index {} {}", index_.path().string(), what);
}

void IndexedDataset::read_index() {
  const auto bytes = index_.bytes();
  if (!text_of(bytes).starts_with(index_magic) && !index_magic.starts_with(text_of(bytes)))
    refuse(fmt::format("is {}", foreign_kind_or_web_page(text_of(bytes))
                                    .value_or("not a Megatron index: it does not begin with MMIDIDX")));
  if (bytes.size() < header_size)
    refuse(fmt::format("is cut off: {} bytes, less than its header", bytes.size()));
  std::size_t at = index_magic.size();
  const auto version = read_number<std::uint64_t>(bytes, at);
  if (version != index_version) refuse(fmt::format("has version {}, but only 1 is known", version));
  at += 8;
  const auto code = read_number<std::uint8_t>(bytes, at);
  type_ = static_cast<TokenType>(code);
  if (size_of(type_) == 0 || type_ == TokenType::float32 || type_ == TokenType::float64)
    refuse(fmt::format("has token type code {}, which is not an integer type", code));
  at += 1;
  const auto sequences = read_number<std::uint64_t>(bytes, at);
  const auto boundaries = read_number<std::uint64_t>(bytes, at + 8);
  const std::uint64_t limit = bytes.size();
  const std::uint64_t body = limit - header_size;
  if (sequences > limit || boundaries > limit || boundaries == 0 || sequences * 12 + boundaries * 8 > body)
    refuse(fmt::format(
        "is cut off or damaged: its header promises {} sequences and {} document boundaries, more "
        "than its {} bytes hold",
        sequences, boundaries, limit));
  const std::uint64_t rest = body - sequences * 12 - boundaries * 8;
  multimodal_ = rest == sequences && sequences > 0;
  if (rest != 0 && !multimodal_) refuse(fmt::format("is damaged: {} extra bytes after its end", rest));
  const std::byte* data = bytes.data() + header_size;
  const auto n = static_cast<std::int64_t>(sequences);
  lengths_ = {data, n};
  offsets_ = {data + sequences * 4, n};
  boundaries_ = {data + sequences * 12, static_cast<std::int64_t>(boundaries)};
}

void IndexedDataset::check_consistency() {
  const auto size = static_cast<std::int64_t>(size_of(type_));
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < lengths_.size(); ++i) {
    if (lengths_[i] < 0) refuse(fmt::format("is damaged: sequence {} has the length {}", i, lengths_[i]));
    if (offsets_[i] != end)
      refuse(fmt::format("is damaged: sequence {} begins at byte {} instead of {}", i, offsets_[i], end));
    end += lengths_[i] * size;
  }
  const auto actual = static_cast<std::int64_t>(tokens_.bytes().size());
  if (const auto kind = foreign_kind_or_web_page(text_of(tokens_.bytes())); kind && end != actual)
    throw_user_error("dataset file {} is {}", tokens_.path().string(), *kind);
  if (end != actual)
    throw_user_error("dataset file {} has {} bytes, but its index {} describes {}: it is {}",
                     tokens_.path().string(), actual, index_.path().string(), end,
                     actual < end ? "cut off" : "not the one it was written with");
  token_count_ = end / size;
  for (std::int64_t d = 0; d + 1 < boundaries_.size(); ++d) {
    if (boundaries_[d] > boundaries_[d + 1])
      refuse(fmt::format("is damaged: document {} ends before it begins", d));
  }
  if (boundaries_[0] != 0 || boundaries_[boundaries_.size() - 1] != lengths_.size())
    refuse("is damaged: its documents do not cover its sequences");
}

std::string IndexedDataset::fingerprint() const {
  constexpr std::size_t block = 64U << 10;
  const std::span<const std::byte> tokens = tokens_.bytes();
  const std::uint64_t size = tokens.size();
  Checksum checksum;
  checksum.update(index_.bytes());
  checksum.update(std::as_bytes(std::span(&size, 1)));
  if (size <= sampled_blocks * block) {
    checksum.update(tokens);
  } else {
    const std::size_t last = tokens.size() - block;
    for (std::size_t i = 0; i < sampled_blocks; ++i)
      checksum.update(tokens.subspan(last * i / (sampled_blocks - 1), block));
  }
  return checksum.digest();
}

void IndexedDataset::read(std::int64_t sequence, std::int64_t offset, std::span<std::int64_t> tokens) const {
  if (sequence < 0 || sequence >= sequence_count() || offset < 0 ||
      offset + static_cast<std::int64_t>(tokens.size()) > length(sequence))
    throw Error(fmt::format("{}: tokens {} to {} of sequence {} do not exist", prefix_, offset,
                            offset + static_cast<std::int64_t>(tokens.size()), sequence));
  const std::byte* raw =
      tokens_.bytes().data() + offsets_[sequence] + offset * static_cast<std::int64_t>(size_of(type_));
  switch (type_) {
    case TokenType::uint8: return widen<std::uint8_t>(raw, tokens);
    case TokenType::int8: return widen<std::int8_t>(raw, tokens);
    case TokenType::int16: return widen<std::int16_t>(raw, tokens);
    case TokenType::uint16: return widen<std::uint16_t>(raw, tokens);
    case TokenType::int32: return widen<std::int32_t>(raw, tokens);
    case TokenType::int64: return widen<std::int64_t>(raw, tokens);
    case TokenType::float32:
    case TokenType::float64: break;
  }
  throw Error("tokens must be integers");
}

}  // namespace primus::data
