#include "data/index_array.h"

#include <charconv>
#include <cstring>
#include <regex>

#include "core/error.h"
#include "core/file.h"

namespace primus::data {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t preamble_size = magic.size() + 2;  // and the length of the description, u16
constexpr std::size_t alignment = 64;

struct TypeInfo {
  IndexArray::Type type;
  const char* name;
  std::size_t size;
};

constexpr TypeInfo types[] = {{IndexArray::Type::int16, "<i2", 2},
                              {IndexArray::Type::int32, "<i4", 4},
                              {IndexArray::Type::uint32, "<u4", 4},
                              {IndexArray::Type::int64, "<i8", 8}};

const TypeInfo& info(IndexArray::Type type) {
  for (const TypeInfo& candidate : types) {
    if (candidate.type == type) return candidate;
  }
  throw Error("no such index type");
}

template <typename T>
std::int64_t value_at(const std::byte* data, std::int64_t index) {
  T value;
  std::memcpy(&value, data + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
  return static_cast<std::int64_t>(value);
}

std::string make_header(IndexArray::Type type, std::int64_t size, std::int64_t columns) {
  const std::string shape =
      columns == 0 ? fmt::format("({},)", size) : fmt::format("({}, {})", size / columns, columns);
  std::string description =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", info(type).name, shape);
  const std::size_t unpadded = preamble_size + description.size() + 1;
  description.append((alignment - unpadded % alignment) % alignment, ' ');
  description += '\n';
  std::string header(magic);
  header += static_cast<char>(description.size() & 0xFF);
  header += static_cast<char>(description.size() >> 8);
  return header + description;
}

struct Header {
  IndexArray::Type type;
  std::int64_t rows, columns;
  std::size_t size;
};

std::optional<Header> parse_header(std::span<const std::byte> bytes) {
  if (bytes.size() < preamble_size || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    return std::nullopt;
  const std::size_t length = std::to_integer<std::size_t>(bytes[8]) | std::to_integer<std::size_t>(bytes[9])
                                                                          << 8;
  if (bytes.size() < preamble_size + length) return std::nullopt;
  const std::string description(reinterpret_cast<const char*>(bytes.data()) + preamble_size, length);
  const std::regex form(
      R"(\{'descr': '(<\w\d)', 'fortran_order': False, 'shape': \((\d{1,18}),(?: (\d{1,3}))?\), \} *\n)");
  std::smatch match;
  if (!std::regex_match(description, match, form)) return std::nullopt;
  for (const TypeInfo& candidate : types) {
    if (match[1] == candidate.name)
      return Header{candidate.type, std::stoll(match[2]), match[3].matched ? std::stoll(match[3]) : 0,
                    preamble_size + length};
  }
  return std::nullopt;
}

}  // namespace

template <typename T>
void IndexArray::own(std::vector<T> values, std::int64_t columns, Type type) {
  const auto shared = std::make_shared<const std::vector<T>>(std::move(values));
  owner_ = shared;
  data_ = reinterpret_cast<const std::byte*>(shared->data());
  size_ = static_cast<std::int64_t>(shared->size());
  columns_ = columns;
  type_ = type;
}

IndexArray::IndexArray(std::vector<std::int16_t> values, std::int64_t columns) {
  own(std::move(values), columns, Type::int16);
}
IndexArray::IndexArray(std::vector<std::int32_t> values, std::int64_t columns) {
  own(std::move(values), columns, Type::int32);
}
IndexArray::IndexArray(std::vector<std::uint32_t> values, std::int64_t columns) {
  own(std::move(values), columns, Type::uint32);
}
IndexArray::IndexArray(std::vector<std::int64_t> values, std::int64_t columns) {
  own(std::move(values), columns, Type::int64);
}

std::optional<IndexArray> IndexArray::load(const fs::path& path) {
  if (!fs::is_regular_file(path)) return std::nullopt;
  const auto file = std::make_shared<const MappedFile>(path);
  const auto header = parse_header(file->bytes());
  if (!header) return std::nullopt;
  IndexArray array;
  array.owner_ = file;
  array.data_ = file->bytes().data() + header->size;
  array.size_ = header->rows * (header->columns == 0 ? 1 : header->columns);
  array.columns_ = header->columns;
  array.type_ = header->type;
  const std::size_t expected = header->size + static_cast<std::size_t>(array.size_) * info(array.type_).size;
  return file->bytes().size() == expected ? std::optional(array) : std::nullopt;
}

void IndexArray::save(const fs::path& path) const {
  AtomicFile file(path);
  const std::string header = make_header(type_, size_, columns_);
  file.write(std::as_bytes(std::span(header)));
  file.write({data_, static_cast<std::size_t>(size_) * info(type_).size});
  file.commit();
}

std::int64_t IndexArray::operator[](std::int64_t index) const {
  switch (type_) {
    case Type::int16: return value_at<std::int16_t>(data_, index);
    case Type::int32: return value_at<std::int32_t>(data_, index);
    case Type::uint32: return value_at<std::uint32_t>(data_, index);
    case Type::int64: return value_at<std::int64_t>(data_, index);
  }
  throw Error("no such index type");
}

}  // namespace primus::data
