#include "checkpoint/index.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"

namespace primus::checkpoint {

using nlohmann::json;

namespace {

constexpr const char* format_name = "primus-checkpoint";
// 1: the first. 2: every field of the architecture is written, and the course of the run beside it
// (common.json). What older formats lack has a default where it is read; tests/cli/fixtures has a checkpoint
// of each.
constexpr int format_version = 2;

json piece_to_json(const StoredPiece& piece) {
  return {{"shard", piece.shard},
          {"key", piece.key},
          {"offset", piece.offset},
          {"extent", piece.extent},
          {"range", {piece.flat_begin, piece.flat_end}},
          {"checksums", piece.checksums}};
}

/// Numbers of an index; errors name the file.
struct NumberReader {
  const std::filesystem::path& path;

  template <typename T>
  T number(const json& value) const {
    return whole_number<T>(value, fmt::format("{}: damaged: a number", path.string()));
  }
  std::vector<std::int64_t> numbers(const json& list) const {
    std::vector<std::int64_t> result;
    for (const json& value : list) result.push_back(number<std::int64_t>(value));
    return result;
  }
};

StoredPiece piece_from_json(const NumberReader& read, const json& value) {
  return {.shard = read.number<int>(value.at("shard")),
          .key = value.at("key"),
          .offset = read.numbers(value.at("offset")),
          .extent = read.numbers(value.at("extent")),
          .flat_begin = read.number<std::int64_t>(value.at("range").at(0)),
          .flat_end = read.number<std::int64_t>(value.at("range").at(1)),
          .checksums = value.at("checksums")};
}

}  // namespace

void Index::merge(const Index& other) {
  shards.insert(other.shards.begin(), other.shards.end());
  for (const auto& [name, theirs] : other.tensors) {
    const auto [found, added] = tensors.emplace(name, theirs);
    if (added) continue;
    StoredTensor& ours = found->second;
    if (ours.dtype != theirs.dtype || ours.shape != theirs.shape)
      throw Error(fmt::format("two ranks save tensor {} with different dtypes or shapes", name));
    ours.pieces.insert(ours.pieces.end(), theirs.pieces.begin(), theirs.pieces.end());
  }
}

json to_json(const Index& index) {
  json shards = json::array(), tensors = json::object();
  for (const auto& [number, bytes] : index.shards) shards.push_back({{"shard", number}, {"bytes", bytes}});
  for (const auto& [name, tensor] : index.tensors) {
    json pieces = json::array();
    for (const StoredPiece& piece : tensor.pieces) pieces.push_back(piece_to_json(piece));
    tensors[name] = {{"dtype", safetensors_dtype(tensor.dtype)}, {"shape", tensor.shape}, {"pieces", pieces}};
  }
  return {{"format", format_name}, {"version", format_version}, {"shards", shards}, {"tensors", tensors}};
}

Index parse_index(const std::string& text, const std::filesystem::path& path) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("format") || document["format"] != format_name)
    throw_user_error("{}: damaged, or not the index of a checkpoint of this program", path.string());
  Index index;
  const NumberReader read{path};
  try {
    if (const int version = read.number<int>(document.at("version"));
        version > format_version || version < 1) {
      throw_user_error(
          "{}: the checkpoint has format {}, and this program reads formats up to {}: use a newer version of "
          "this program",
          path.string(), version, format_version);
    }
    for (const json& shard : document.at("shards"))
      index.shards[read.number<int>(shard.at("shard"))] = read.number<std::uint64_t>(shard.at("bytes"));
    for (const auto& [name, value] : document.at("tensors").items()) {
      StoredTensor tensor{.dtype = parse_safetensors_dtype(value.at("dtype")),
                          .shape = read.numbers(value.at("shape")),
                          .pieces = {}};
      for (const json& piece : value.at("pieces")) tensor.pieces.push_back(piece_from_json(read, piece));
      index.tensors[name] = std::move(tensor);
    }
  } catch (const json::exception&) {
    throw_user_error("{}: damaged: something in it is missing or has the wrong type", path.string());
  }
  return index;
}

std::string piece_key(const parallel::TensorPiece& piece) {
  std::string key = piece.name;
  if (piece.extent != piece.global_shape) key += fmt::format("@{}", fmt::join(piece.offset, ","));
  if (piece.data.sizes() != at::IntArrayRef(piece.extent))
    key += fmt::format("[{}:{}]", piece.flat_begin, piece.flat_end);
  return key;
}

std::vector<std::string> block_checksums(std::span<const std::byte> bytes) {
  std::vector<std::string> result;
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += checksum_block)
    result.push_back(checksum(bytes.subspan(begin, std::min(checksum_block, bytes.size() - begin))));
  return result;
}

}  // namespace primus::checkpoint
