#include "checkpoint/safetensors.h"

#include <ATen/ops/from_blob.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/file_kind.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "the format and our reading of it are little-endian");

namespace {

constexpr std::uint64_t length_size = 8;
/// The original reader refuses larger headers; so large a number is damage.
constexpr std::uint64_t max_header_size = 100'000'000;
constexpr std::uint64_t header_alignment = 8;

/// In the order in which the original writer lays tensors out: wide elements first, so all are aligned.
constexpr std::array<std::pair<const char*, at::ScalarType>, 15> dtypes = {{
    {"U64", at::kUInt64},
    {"I64", at::kLong},
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"U32", at::kUInt32},
    {"I32", at::kInt},
    {"BF16", at::kBFloat16},
    {"F16", at::kHalf},
    {"U16", at::kUInt16},
    {"I16", at::kShort},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

std::size_t layout_rank(at::ScalarType dtype) {
  const auto* found =
      std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& known) { return known.second == dtype; });
  if (found == dtypes.end()) throw_user_error("safetensors cannot store dtype {}", c10::toString(dtype));
  return static_cast<std::size_t>(found - dtypes.begin());
}

[[noreturn]] void damaged(const fs::path& path, const std::string& what) {
  throw_user_error("{}: not a readable safetensors file: {}", path.string(), what);
}

/// What is not even a header may be another kind of file.
[[noreturn]] void without_header(const fs::path& path, std::span<const std::byte> bytes,
                                 const std::string& what) {
  refuse_foreign_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  damaged(path, what);
}

/// `header_size` receives the header's length in bytes.
json parse_header(const fs::path& path, std::span<const std::byte> bytes, std::uint64_t& header_size) {
  if (bytes.size() < length_size)
    without_header(path, bytes, fmt::format("it has {} bytes, less than a header", bytes.size()));
  std::memcpy(&header_size, bytes.data(), length_size);
  if (header_size > max_header_size || header_size > bytes.size() - length_size) {
    without_header(path, bytes,
                   fmt::format("its header claims {} bytes, the file has {}", header_size, bytes.size()));
  }
  const char* text = reinterpret_cast<const char*>(bytes.data()) + length_size;
  json header = json::parse(text, text + header_size, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) without_header(path, bytes, "its header is not a JSON object");
  return header;
}

/// A tensor's header entry: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}.
TensorInfo parse_entry(const fs::path& path, const std::string& name, const json& entry,
                       std::uint64_t data_start, std::uint64_t data_size) {
  const auto is_size = [](const json& value) { return value.is_number_unsigned(); };
  const auto is_size_list = [&](const char* key) {
    return entry.contains(key) && entry[key].is_array() &&
           std::all_of(entry[key].begin(), entry[key].end(), is_size);
  };
  const bool complete = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() &&
                        is_size_list("shape") && is_size_list("data_offsets") &&
                        entry["data_offsets"].size() == 2;
  if (!complete) damaged(path, fmt::format("tensor {} lacks dtype, shape or data_offsets", name));

  TensorInfo info{.name = name, .dtype = at::kFloat, .shape = {}, .offset = 0};
  try {
    info.dtype = parse_safetensors_dtype(entry["dtype"].get<std::string>());
  } catch (const UserError& error) {
    damaged(path, fmt::format("tensor {}: {}", name, error.what()));
  }
  std::uint64_t size = c10::elementSize(info.dtype);
  for (const json& length : entry["shape"]) {
    const auto count = length.get<std::uint64_t>();
    if (count > max_header_size * max_header_size || __builtin_mul_overflow(size, count, &size))
      damaged(path, fmt::format("tensor {} has an impossible shape", name));
    info.shape.push_back(static_cast<std::int64_t>(count));
  }
  const auto begin = entry["data_offsets"][0].get<std::uint64_t>();
  const auto end = entry["data_offsets"][1].get<std::uint64_t>();
  if (end < begin || end - begin != size) {
    damaged(path,
            fmt::format("tensor {} needs {} bytes but is given bytes {} to {}", name, size, begin, end));
  }
  if (end > data_size) {
    damaged(path, fmt::format("it is cut off: tensor {} ends at byte {}, the file at {}", name,
                              data_start + end, data_start + data_size));
  }
  info.offset = data_start + begin;
  return info;
}

/// Tensors must fill the file from its header to its end, one after the other.
void check_no_gaps(const fs::path& path, const std::vector<TensorInfo>& tensors, std::uint64_t data_start,
                   std::uint64_t file_size) {
  std::uint64_t expected = data_start;
  for (const TensorInfo& info : tensors) {
    if (info.offset != expected)
      damaged(path,
              fmt::format("tensor {} starts at byte {} instead of {}", info.name, info.offset, expected));
    expected += info.byte_size();
  }
  if (expected != file_size)
    damaged(path, fmt::format("its tensors end at byte {}, the file at {}", expected, file_size));
}

std::string make_header(const std::vector<TensorInfo>& tensors, const Metadata& metadata) {
  std::vector<std::string> entries;
  if (!metadata.empty()) entries.push_back("\"__metadata__\":" + json(metadata).dump());
  std::uint64_t offset = 0;
  for (const TensorInfo& info : tensors) {
    const std::uint64_t end = offset + info.byte_size();
    entries.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                  json(info.name).dump(), safetensors_dtype(info.dtype),
                                  fmt::join(info.shape, ","), offset, end));
    offset = end;
  }
  std::string text = fmt::format("{{{}}}", fmt::join(entries, ","));
  text.append((header_alignment - text.size() % header_alignment) % header_alignment, ' ');
  return text;
}

}  // namespace

std::int64_t TensorInfo::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t length : shape) count *= length;
  return count;
}

std::uint64_t TensorInfo::byte_size() const {
  return static_cast<std::uint64_t>(numel()) * c10::elementSize(dtype);
}

std::string safetensors_dtype(at::ScalarType dtype) { return dtypes[layout_rank(dtype)].first; }

at::ScalarType parse_safetensors_dtype(const std::string& name) {
  for (const auto& [known, value] : dtypes) {
    if (name == known) return value;
  }
  throw_user_error("unknown dtype {}", name);
}

SafetensorsFile::SafetensorsFile(const fs::path& path) : mapping_(std::make_shared<const MappedFile>(path)) {
  read_header();
}

void SafetensorsFile::read_header() {
  const std::uint64_t file_size = mapping_->bytes().size();
  std::uint64_t header_size = 0;
  const json header = parse_header(path(), mapping_->bytes(), header_size);
  const std::uint64_t data_start = length_size + header_size;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) damaged(path(), "__metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) damaged(path(), "__metadata__ holds something other than text");
        metadata_[key] = value.get<std::string>();
      }
    } else {
      tensors_.push_back(parse_entry(path(), name, entry, data_start, file_size - data_start));
    }
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.offset, a.byte_size()) < std::pair(b.offset, b.byte_size());
  });
  check_no_gaps(path(), tensors_, data_start, file_size);
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

const fs::path& SafetensorsFile::path() const { return mapping_->path(); }

const TensorInfo* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorInfo& info) const {
  return mapping_->bytes().subspan(info.offset, info.byte_size());
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) throw_user_error("{}: there is no tensor {} in it", path().string(), name);
  void* data = const_cast<std::byte*>(bytes(*info).data());
  return at::from_blob(
      data, info->shape, [mapping = mapping_](void*) {}, at::TensorOptions().dtype(info->dtype));
}

SafetensorsWriter::SafetensorsWriter(fs::path path, std::vector<TensorInfo> tensors, const Metadata& metadata)
    : path_(std::move(path)), tensors_(std::move(tensors)) {
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(layout_rank(a.dtype), a.name) < std::pair(layout_rank(b.dtype), b.name);
  });
  const std::string header = make_header(tensors_, metadata);
  std::uint64_t offset = length_size + header.size();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].offset = offset;
    offset += tensors_[i].byte_size();
    if (!missing_.emplace(tensors_[i].name, i).second)
      throw Error(fmt::format("tensor {} would be saved twice", tensors_[i].name));
  }
  const std::uint64_t header_size = header.size();
  file_ = open_for_writing(path_);
  write_all(file_, std::as_bytes(std::span(&header_size, 1)), path_);
  write_all(file_, std::as_bytes(std::span(header)), path_);
}

void SafetensorsWriter::write(const std::string& name, const at::Tensor& tensor) {
  const auto found = missing_.find(name);
  if (found == missing_.end())
    throw Error(fmt::format("tensor {} was not announced, or is written twice", name));
  const TensorInfo& info = tensors_[found->second];
  if (tensor.scalar_type() != info.dtype || tensor.sizes() != at::IntArrayRef(info.shape))
    throw Error(fmt::format("tensor {} does not have the dtype and shape announced", name));
  write_all_at(file_, bytes_of(tensor.cpu().contiguous()), info.offset, path_);
  missing_.erase(found);
}

void SafetensorsWriter::finish() {
  if (!missing_.empty()) throw Error(fmt::format("tensor {} was never written", missing_.begin()->first));
  sync_file(file_, path_);
  file_.close();
}

void write_safetensors(const fs::path& path, const std::map<std::string, at::Tensor>& tensors,
                       const Metadata& metadata) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos.push_back(
        {.name = name, .dtype = tensor.scalar_type(), .shape = tensor.sizes().vec(), .offset = 0});
  }
  SafetensorsWriter writer(path, std::move(infos), metadata);
  for (const auto& [name, tensor] : tensors) writer.write(name, tensor);
  writer.finish();
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace primus::checkpoint
