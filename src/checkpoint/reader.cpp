#include "checkpoint/reader.h"

#include <ATen/Functions.h>
#include <c10/util/accumulate.h>
#include <fmt/ranges.h>

#include <cstring>

#include "checkpoint/layout.h"
#include "checkpoint/overlap.h"
#include "core/error.h"
#include "core/file_kind.h"
#include "core/hash.h"
#include "core/json.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t differences_shown = 3;

template <typename Piece>
Region region_of(const Piece& piece) {
  return {piece.offset, piece.extent, piece.flat_begin, piece.flat_end};
}

/// Whether a stored tensor is the piece's, however far the vocabulary is padded on either side.
bool fits(std::vector<std::int64_t> stored, const parallel::TensorPiece& piece) {
  if (piece.unpadded_rows && !stored.empty() && stored[0] >= *piece.unpadded_rows)
    stored[0] = piece.global_shape[0];
  return stored == piece.global_shape;
}

/// The elements of a piece that lie beyond the rows of the stored tensor.
std::int64_t elements_beyond(const std::vector<std::int64_t>& stored, const parallel::TensorPiece& piece) {
  if (stored == piece.global_shape) return 0;
  std::int64_t inside = 0;
  const std::vector<std::int64_t> origin(stored.size(), 0);
  const Region whole{origin, stored, 0, c10::multiply_integers(stored)};
  for_each_common_run(region_of(piece), whole, [&](auto, auto, std::int64_t count) { inside += count; });
  return piece.flat_end - piece.flat_begin - inside;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

Checkpoint::Checkpoint(fs::path directory) : directory_(std::move(directory)) {
  if (!fs::is_directory(directory_)) throw_user_error("{}: there is no such directory", directory_.string());
  if (!fs::exists(directory_ / index_file)) {
    throw_user_error("{}: not a checkpoint of this program (there is no {} in it)", directory_.string(),
                     index_file);
  }
  index_ = parse_index(read_text_file(directory_ / index_file), directory_ / index_file);
  common_ = read_json(directory_ / common_file);
  if (!common_.is_object())
    throw_user_error("{}: damaged: not a JSON object", (directory_ / common_file).string());
  check_shards();
}

void Checkpoint::check_shards() const {
  for (const auto& [number, bytes] : index_.shards) {
    const fs::path file = shard_file(directory_, number);
    std::error_code error;
    const std::uint64_t size = fs::file_size(file, error);
    if (error) throw_user_error("{}: missing shard of the checkpoint: {}", file.string(), error.message());
    if (size != bytes) {
      throw_user_error("{}: damaged: it has {} bytes, the index says {}", file.string(), size, bytes);
    }
  }
}

model::TransformerConfig Checkpoint::architecture() const {
  const std::string source = (directory_ / common_file).string();
  if (!common_.contains("architecture")) throw_user_error("{}: 'architecture' is missing", source);
  return model::transformer_config_from_json(common_["architecture"].dump(), source);
}

void Checkpoint::check_names_and_shapes(const std::vector<parallel::TensorPiece>& pieces) const {
  std::vector<std::string> differences;
  std::size_t count = 0;
  for (const parallel::TensorPiece& piece : pieces) {
    const auto found = index_.tensors.find(piece.name);
    if (found != index_.tensors.end() && fits(found->second.shape, piece)) continue;
    if (++count > differences_shown) continue;
    differences.push_back(found == index_.tensors.end()
                              ? fmt::format("{} is not in it", piece.name)
                              : fmt::format("{} is {} in the checkpoint, {} in this run", piece.name,
                                            shape_text(found->second.shape), shape_text(piece.global_shape)));
  }
  if (count == 0) return;
  if (count > differences_shown) differences.push_back(fmt::format("and {} more", count - differences_shown));
  throw_user_error("{}: a checkpoint of another model: {}", directory_.string(),
                   fmt::join(differences, "; "));
}

void Checkpoint::load(const std::vector<parallel::TensorPiece>& pieces) const {
  check_names_and_shapes(pieces);
  // A piece of main weights also writes the weights, which the file may have rounded in another way than we
  // do: it comes after the weights' own piece, in whatever order the caller has them.
  for (const bool split : {false, true}) {
    for (const parallel::TensorPiece& piece : pieces) {
      if (piece.remainder.defined() == split) load_piece(piece);
    }
  }
}

void Checkpoint::load_piece(const parallel::TensorPiece& piece) const {
  const at::NoGradGuard no_grad;
  const StoredTensor& stored = index_.tensors.at(piece.name);
  const auto element = static_cast<std::int64_t>(c10::elementSize(stored.dtype));
  const bool direct = !piece.remainder.defined() && piece.data.is_cpu() && piece.data.is_contiguous() &&
                      piece.data.scalar_type() == stored.dtype;
  const at::Tensor target = direct ? piece.data : at::empty(piece.data.sizes(), stored.dtype);
  auto* bytes = static_cast<std::byte*>(target.mutable_data_ptr());
  std::int64_t filled = elements_beyond(stored.shape, piece);
  if (filled > 0) target.zero_();
  for (const StoredPiece& source : stored.pieces) {
    for_each_common_run(region_of(piece), region_of(source),
                        [&](std::int64_t to, std::int64_t from, std::int64_t count) {
                          const auto run = checked_bytes(piece.name, source, from, from + count);
                          std::memcpy(bytes + to * element, run.data(), run.size());
                          filled += count;
                        });
  }
  if (filled != target.numel()) {
    throw_user_error("{}: damaged: {} of {} elements of tensor {} are in none of its shards",
                     (directory_ / index_file).string(), target.numel() - filled, target.numel(), piece.name);
  }
  if (!direct) piece.assign(target);
}

const SafetensorsFile& Checkpoint::shard(int number) const {
  auto& file = open_shards_[number];
  if (file == nullptr) file = std::make_unique<SafetensorsFile>(shard_file(directory_, number));
  return *file;
}

std::span<const std::byte> Checkpoint::checked_bytes(const std::string& name, const StoredPiece& piece,
                                                     std::int64_t first, std::int64_t last) const {
  const SafetensorsFile& file = shard(piece.shard);
  const TensorInfo* info = file.find(piece.key);
  if (info == nullptr || info->numel() != piece.flat_end - piece.flat_begin ||
      info->dtype != index_.tensors.at(name).dtype) {
    throw_user_error("{}: damaged: tensor {} in it is not what the index says", file.path().string(),
                     piece.key);
  }
  const std::span<const std::byte> bytes = file.bytes(*info);
  const std::uint64_t element = c10::elementSize(info->dtype);
  const std::uint64_t begin = first * element, end = last * element;
  std::vector<bool>& checked = checked_blocks_[&piece];
  checked.resize(piece.checksums.size());
  for (std::uint64_t block = begin / checksum_block; block * checksum_block < end; ++block) {
    if (block < checked.size() && checked[block]) continue;
    const std::uint64_t start = block * checksum_block;
    const auto part = bytes.subspan(start, std::min(checksum_block, bytes.size() - start));
    if (block >= checked.size() || checksum(part) != piece.checksums[block])
      throw_user_error("{}: damaged: the bytes of tensor {} do not match their checksum",
                       file.path().string(), piece.key);
    checked[block] = true;
  }
  return bytes.subspan(begin, end - begin);
}

at::Tensor Checkpoint::tensor(const std::string& name) const {
  const auto found = index_.tensors.find(name);
  if (found == index_.tensors.end())
    throw_user_error("{}: there is no tensor {} in it", directory_.string(), name);
  const StoredTensor& stored = found->second;
  const at::Tensor result = at::empty(stored.shape, stored.dtype);
  load({{.name = name,
         .global_shape = stored.shape,
         .offset = std::vector<std::int64_t>(stored.shape.size(), 0),
         .extent = stored.shape,
         .flat_begin = 0,
         .flat_end = result.numel(),
         .data = result}});
  return result;
}

void Checkpoint::verify() const {
  for (const auto& [name, tensor] : index_.tensors) {
    for (const StoredPiece& piece : tensor.pieces)
      checked_bytes(name, piece, 0, piece.flat_end - piece.flat_begin);
  }
}

}  // namespace primus::checkpoint
