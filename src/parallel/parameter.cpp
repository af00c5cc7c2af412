#include "parallel/parameter.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/util/accumulate.h>

#include <span>

#include "core/error.h"
#include "kernels/random.h"

namespace primus::parallel {

namespace {

std::vector<std::int64_t> shape_of_shard(const ParameterSpec& spec) {
  std::vector<std::int64_t> shape = spec.global_shape;
  for (const Shard& shard : spec.shards) {
    std::int64_t& length = shape.at(shard.dim);
    if (length % (static_cast<std::int64_t>(shard.size) * shard.blocks) != 0) {
      throw UserError(fmt::format(
          "parameter {}: dimension {} has {} elements, which cannot be divided evenly among {} ranks{}",
          spec.name, shard.dim, length, shard.size,
          shard.blocks > 1 ? fmt::format(" in {} blocks", shard.blocks) : ""));
    }
    length /= shard.size;
  }
  return shape;
}

/// The parts of `whole` that a rank holds of it when its dimension is cut.
std::vector<ShardPiece> cut(const ShardPiece& whole, const Shard& shard) {
  if (shard.size == 1) return {whole};
  const std::int64_t block = whole.extent[shard.dim] / shard.blocks;
  const std::int64_t part = block / shard.size;
  std::vector<ShardPiece> result;
  for (int b = 0; b < shard.blocks; ++b) {
    ShardPiece piece = whole;
    piece.global_offset[shard.dim] += b * block + shard.rank * part;
    piece.local_offset[shard.dim] = b * part;
    piece.extent[shard.dim] = part;
    result.push_back(std::move(piece));
  }
  return result;
}

/// Calls visit(local index, global index, count) for every row of a piece, a contiguous run, from several
/// threads.
template <typename Visit>
void for_each_run(const ShardPiece& piece, const std::vector<std::int64_t>& local_shape,
                  const std::vector<std::int64_t>& global_shape, const Visit& visit) {
  const std::size_t rank = piece.extent.size();
  const std::int64_t run = piece.extent.back();
  const std::int64_t runs = c10::multiply_integers(piece.extent) / std::max<std::int64_t>(run, 1);
  at::parallel_for(0, runs, /*grain_size=*/1 + 16384 / std::max<std::int64_t>(run, 1),
                   [&](auto begin, auto end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       std::int64_t rest = i, local = 0, global = 0, local_stride = local_shape.back(),
                                    global_stride = global_shape.back();
                       for (std::size_t d = rank - 1; d-- > 0;) {
                         const std::int64_t coordinate = rest % piece.extent[d];
                         rest /= piece.extent[d];
                         local += (piece.local_offset[d] + coordinate) * local_stride;
                         global += (piece.global_offset[d] + coordinate) * global_stride;
                         local_stride *= local_shape[d];
                         global_stride *= global_shape[d];
                       }
                       visit(local + piece.local_offset.back(), global + piece.global_offset.back(), run);
                     }
                   });
}

}  // namespace

Parameter::Parameter(ParameterSpec spec, at::ScalarType dtype, const at::Device& device)
    : spec_(std::move(spec)), local_shape_(shape_of_shard(spec_)) {
  weight.value = at::empty(local_shape_, at::TensorOptions().dtype(dtype).device(device)).requires_grad_();
}

std::int64_t Parameter::local_numel() const { return c10::multiply_integers(local_shape_); }

std::vector<ShardPiece> Parameter::pieces() const {
  const std::vector<std::int64_t> origin(local_shape_.size(), 0);
  std::vector<ShardPiece> result = {
      {.global_offset = origin, .local_offset = origin, .extent = spec_.global_shape}};
  for (const Shard& shard : spec_.shards) {
    std::vector<ShardPiece> smaller;
    for (const ShardPiece& piece : result) {
      for (ShardPiece& part : cut(piece, shard)) smaller.push_back(std::move(part));
    }
    result = std::move(smaller);
  }
  return result;
}

void Parameter::initialize(std::uint64_t seed, at::Tensor* float_copy) {
  const at::NoGradGuard no_grad;
  at::Tensor values = at::empty(local_shape_, at::kFloat);
  if (spec_.init.kind == Initializer::Kind::constant) {
    values.fill_(spec_.init.value);
  } else {
    const kernels::RandomStream stream(seed, spec_.name);
    float* out = values.data_ptr<float>();
    const double deviation = spec_.init.value;
    for (const ShardPiece& piece : pieces()) {
      for_each_run(piece, local_shape_, spec_.global_shape,
                   [&](std::int64_t local, std::int64_t global, std::int64_t count) {
                     const std::span<float> row(out + local, static_cast<std::size_t>(count));
                     kernels::fill_normal(stream, static_cast<std::uint64_t>(global), deviation, row);
                   });
    }
  }
  weight.value.copy_(values);
  if (float_copy != nullptr) *float_copy = values;
}

Parameter& ParameterSet::add(ParameterSpec spec) {
  if (find(spec.name) != nullptr) throw Error(fmt::format("parameter {} is defined twice", spec.name));
  parameters_.push_back(std::make_unique<Parameter>(std::move(spec), dtype_, device_));
  return *parameters_.back();
}

Parameter* ParameterSet::find(const std::string& name) const {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const auto& parameter) { return parameter->name() == name; });
  return found == parameters_.end() ? nullptr : found->get();
}

}  // namespace primus::parallel
