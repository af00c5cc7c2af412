#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/listeners.h"
#include "kernels/weight.h"

namespace primus::parallel {

/// How a logical tensor is cut over the ranks of a group: dimension `dim` into `size` equal parts, of which
/// this rank holds part `rank`. With `blocks` > 1 the dimension is first seen as so many equal blocks, and
/// each block is cut on its own: a gated MLP's fused weight has a gate block and an up block, and every rank
/// holds a part of both.
struct Shard {
  /// The group: the tensor-parallel one (for experts: expert-tensor-parallel), or the expert-parallel one.
  enum class Axis { tensor, expert };
  int dim = 0;
  int rank = 0;
  int size = 1;
  int blocks = 1;
  Axis axis = Axis::tensor;
};

/// What a parameter is to the model, where that decides how it is trained.
enum class Role { other, word_embeddings, output_layer };

/// How a parameter starts. Normal numbers depend only on (seed, logical name, global element index), so every
/// layout starts from the same model.
struct Initializer {
  enum class Kind { constant, normal };
  Kind kind = Kind::normal;
  /// The constant, or the standard deviation of the normal distribution (mean 0).
  double value = 0.02;
};

/// What a parameter is, independent of the layout but for `shards`.
struct ParameterSpec {
  /// Megatron's logical name with global layer numbers, e.g. "decoder.layers.3.mlp.linear_fc1.weight".
  std::string name;
  std::vector<std::int64_t> global_shape;
  /// Of a vocabulary: the rows that are the model's. Those after them only make the ranks' shares equal; how
  /// many they are is a matter of the layout.
  std::optional<std::int64_t> unpadded_rows = {};
  /// Cuts of different dimensions: grouped expert weights [experts, out, in] are spread over the
  /// expert-parallel ranks and, within each expert, over the expert-tensor-parallel ones. Empty: held whole.
  std::vector<Shard> shards = {};
  Initializer init = {};
  Role role = Role::other;
  /// Weight decay applies (Megatron: not to biases nor one-dimensional parameters).
  bool decay = true;
  /// Belongs to an expert: reduced over the expert data-parallel group.
  bool expert = false;
  /// Held by every rank of the tensor-parallel group while each sees only a part of the tokens, or of the
  /// heads: its gradient there is a partial sum over that group.
  bool partial_gradient = false;
  /// The first and the last pipeline stage hold a copy each (tied embedding and output layer): the gradient
  /// is the sum of both.
  bool tied_across_stages = false;
  /// The copy of a tied parameter that another pipeline stage owns: not counted in norms, not saved.
  bool shared_copy = false;
};

/// A box of the logical tensor that this rank holds, and where it lies in the local tensor.
struct ShardPiece {
  std::vector<std::int64_t> global_offset;
  std::vector<std::int64_t> local_offset;
  std::vector<std::int64_t> extent;
};

/// One parameter held by this rank.
class Parameter {
 public:
  Parameter(ParameterSpec spec, at::ScalarType dtype, const at::Device& device);

  const ParameterSpec& spec() const { return spec_; }
  const std::string& name() const { return spec_.name; }
  const std::vector<std::int64_t>& local_shape() const { return local_shape_; }
  std::int64_t local_numel() const;

  /// The pieces of the logical tensor that the local tensor consists of.
  std::vector<ShardPiece> pieces() const;

  /// Fills the local tensor from its initializer. `float_copy`, when not null, receives the same numbers
  /// before they are rounded to the parameter's dtype.
  void initialize(std::uint64_t seed, at::Tensor* float_copy = nullptr);

  kernels::Weight weight;

  /// The weight for a forward pass, once it is complete.
  const kernels::Weight& use() const {
    before_use.notify();
    return weight;
  }
  /// Those who still bring parts of the weight here wait for them when notified (the distributed optimizer's
  /// gathers).
  Listeners before_use;

  /// In how many places a forward pass uses the parameter: so often its gradient is accumulated in each
  /// backward. More than once for a tied embedding.
  int uses() const { return uses_; }
  void add_use() { ++uses_; }

 private:
  ParameterSpec spec_;
  std::vector<std::int64_t> local_shape_;
  int uses_ = 1;
};

/// The parameters of one model chunk, in the order in which the forward pass first uses them.
class ParameterSet {
 public:
  ParameterSet(at::ScalarType dtype, const at::Device& device) : dtype_(dtype), device_(device) {}

  /// Adds a parameter; the reference stays valid. Throws Error when the name is taken.
  Parameter& add(ParameterSpec spec);

  const std::vector<std::unique_ptr<Parameter>>& all() const { return parameters_; }
  /// Null when there is none of that name.
  Parameter* find(const std::string& name) const;
  at::ScalarType dtype() const { return dtype_; }
  const at::Device& device() const { return device_; }

 private:
  at::ScalarType dtype_;
  at::Device device_;
  std::vector<std::unique_ptr<Parameter>> parameters_;
};

}  // namespace primus::parallel
