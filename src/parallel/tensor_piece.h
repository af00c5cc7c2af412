#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parallel/mesh.h"
#include "parallel/parameter.h"

namespace primus::parallel {

/// A part of a logical tensor that lives on this rank: what checkpoints write, and fill when they load. The
/// part is a box of the logical tensor or, for a rank that holds optimizer state of a flat range of some
/// buffer, a range of that box's elements in row-major order.
struct TensorPiece {
  std::string name;
  std::vector<std::int64_t> global_shape;
  /// See ParameterSpec.
  std::optional<std::int64_t> unpadded_rows = {};
  /// The box.
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> extent;
  /// The range of the box's elements; all of them for a whole box.
  std::int64_t flat_begin = 0;
  std::int64_t flat_end = 0;
  /// A view of this rank's memory: [extent] for a whole box, [flat_end - flat_begin] otherwise.
  at::Tensor data;
  /// Undefined, or int16 like `data`, which is then bf16: the piece's values are the fp32 main weights that
  /// both are together (kernels/main_weight.h). `data` is the model's weight, with a piece of its own.
  at::Tensor remainder = {};
  /// Another rank holds the same part and saves it; this one only loads it.
  bool replica = false;

  at::ScalarType dtype() const { return remainder.defined() ? at::kFloat : data.scalar_type(); }
  /// The values: `data` itself, or a new tensor of the main weights.
  at::Tensor values() const;
  /// Writes values of any dtype into this rank's memory.
  void assign(const at::Tensor& values) const;
};

/// The pieces of a tensor of a parameter's local shape (its weight, or state that belongs to it), under
/// `name`.
std::vector<TensorPiece> tensor_pieces(const Parameter& parameter, const std::string& name,
                                       const at::Tensor& local, bool replica);

/// The same when only elements `begin` and up to begin + flat.numel() of the local tensor, in row-major
/// order, are here.
std::vector<TensorPiece> tensor_pieces_of_range(const Parameter& parameter, const std::string& name,
                                                std::int64_t begin, const at::Tensor& flat, bool replica);

/// The weights under their logical names.
std::vector<TensorPiece> weight_pieces(const ParameterSet& parameters, const Mesh& mesh);

}  // namespace primus::parallel
