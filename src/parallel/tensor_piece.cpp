#include "parallel/tensor_piece.h"

#include <c10/util/accumulate.h>

#include <algorithm>

#include "core/error.h"
#include "kernels/main_weight.h"

namespace primus::parallel {

namespace {

TensorPiece whole_piece(const Parameter& parameter, const std::string& name, const ShardPiece& piece,
                        bool replica) {
  return {.name = name,
          .global_shape = parameter.spec().global_shape,
          .unpadded_rows = parameter.spec().unpadded_rows,
          .offset = piece.global_offset,
          .extent = piece.extent,
          .flat_begin = 0,
          .flat_end = c10::multiply_integers(piece.extent),
          .data = {},
          .replica = replica};
}

}  // namespace

at::Tensor TensorPiece::values() const {
  return remainder.defined() ? kernels::join_main_weights(data, remainder) : data;
}

void TensorPiece::assign(const at::Tensor& values) const {
  if (remainder.defined()) {
    kernels::split_main_weights(values, data, remainder);
  } else {
    data.copy_(values);
  }
}

std::vector<TensorPiece> tensor_pieces(const Parameter& parameter, const std::string& name,
                                       const at::Tensor& local, bool replica) {
  std::vector<TensorPiece> result;
  for (const ShardPiece& piece : parameter.pieces()) {
    result.push_back(whole_piece(parameter, name, piece, replica));
    at::Tensor view = local.detach();
    for (std::size_t dim = 0; dim < piece.extent.size(); ++dim)
      view = view.narrow(static_cast<std::int64_t>(dim), piece.local_offset[dim], piece.extent[dim]);
    result.back().data = view;
  }
  return result;
}

std::vector<TensorPiece> tensor_pieces_of_range(const Parameter& parameter, const std::string& name,
                                                std::int64_t begin, const at::Tensor& flat, bool replica) {
  const std::vector<ShardPiece> pieces = parameter.pieces();
  if (pieces.size() > 1 && parameter.spec().shard.dim != 0) {
    throw Error(fmt::format("parameter {}: a flat range of blocks along dimension {} is no box", name,
                            parameter.spec().shard.dim));
  }
  std::vector<TensorPiece> result;
  // Pieces lie one after the other in the local tensor.
  std::int64_t start = 0;
  for (const ShardPiece& piece : pieces) {
    TensorPiece part = whole_piece(parameter, name, piece, replica);
    const std::int64_t length = part.flat_end;
    part.flat_begin = std::clamp<std::int64_t>(begin - start, 0, length);
    part.flat_end = std::clamp<std::int64_t>(begin + flat.numel() - start, 0, length);
    if (part.flat_begin < part.flat_end) {
      part.data = flat.slice(0, start + part.flat_begin - begin, start + part.flat_end - begin);
      result.push_back(std::move(part));
    }
    start += length;
  }
  return result;
}

std::vector<TensorPiece> weight_pieces(const ParameterSet& parameters, const Mesh& mesh) {
  std::vector<TensorPiece> result;
  for (const auto& parameter : parameters.all()) {
    const bool replica = !is_primary(*parameter, mesh) || replication_group(*parameter, mesh).rank() > 0;
    auto pieces = tensor_pieces(*parameter, parameter->name(), parameter->weight.value, replica);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(result));
  }
  return result;
}

bool is_primary(const Parameter& parameter, const Mesh& mesh) {
  const ParameterSpec& spec = parameter.spec();
  const Group& holders = spec.expert ? mesh.expert_tensor() : mesh.tensor();
  return !spec.shared_copy && (spec.shard.size > 1 || holders.rank() == 0);
}

const Group& replication_group(const Parameter& parameter, const Mesh& mesh) {
  return parameter.spec().expert ? mesh.expert_data() : mesh.data_context();
}

}  // namespace primus::parallel
