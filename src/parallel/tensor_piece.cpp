#include "parallel/tensor_piece.h"

#include <c10/util/accumulate.h>

#include <algorithm>

#include "core/error.h"
#include "kernels/main_weight.h"
#include "parallel/placement.h"

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

/// Whether a piece is one run of the local tensor's memory: it is cut in one dimension alone, and has length
/// 1 in those before it.
bool is_contiguous(const ShardPiece& piece, const std::vector<std::int64_t>& local_shape) {
  std::size_t inner = piece.extent.size();
  while (inner > 0 && piece.extent[inner - 1] == local_shape[inner - 1]) --inner;
  if (inner == 0) return true;
  return std::all_of(piece.extent.begin(), piece.extent.begin() + static_cast<std::ptrdiff_t>(inner) - 1,
                     [](std::int64_t length) { return length == 1; });
}

/// A parameter's pieces, taken apart along their outer dimensions until each is one run of the local tensor's
/// memory, in the order of that memory.
std::vector<ShardPiece> contiguous_pieces(const Parameter& parameter) {
  const std::vector<std::int64_t>& shape = parameter.local_shape();
  std::vector<ShardPiece> todo = parameter.pieces(), result;
  while (!todo.empty()) {
    const ShardPiece piece = std::move(todo.back());
    todo.pop_back();
    if (is_contiguous(piece, shape)) {
      result.push_back(piece);
      continue;
    }
    const auto outermost = static_cast<std::size_t>(
        std::find_if(piece.extent.begin(), piece.extent.end(), [](std::int64_t n) { return n > 1; }) -
        piece.extent.begin());
    for (std::int64_t i = 0; i < piece.extent[outermost]; ++i) {
      ShardPiece row = piece;
      row.global_offset[outermost] += i;
      row.local_offset[outermost] += i;
      row.extent[outermost] = 1;
      todo.push_back(std::move(row));
    }
  }
  std::sort(result.begin(), result.end(),
            [](const ShardPiece& a, const ShardPiece& b) { return a.local_offset < b.local_offset; });
  return result;
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
  std::vector<TensorPiece> result;
  std::int64_t start = 0;
  for (const ShardPiece& piece : contiguous_pieces(parameter)) {
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
    const ParameterSpec& spec = parameter->spec();
    const bool replica = !is_primary(spec, mesh) || placement_of(spec, mesh).replicas.rank() > 0;
    auto pieces = tensor_pieces(*parameter, parameter->name(), parameter->weight.value, replica);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(result));
  }
  return result;
}

}  // namespace primus::parallel
