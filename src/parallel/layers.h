#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "kernels/activation.h"
#include "kernels/cross_entropy.h"
#include "kernels/options.h"
#include "parallel/mesh.h"
#include "parallel/parameter.h"

namespace primus::parallel {

/// What the tensor-parallel linears need to know.
struct LinearSpec {
  /// Prefix of the parameters: ".weight" and ".bias" are added.
  std::string name;
  std::int64_t in = 0;
  std::int64_t out = 0;
  bool bias = false;
  Initializer init = {};
  /// See Shard::blocks: 2 for a gated MLP's [gate; up].
  int blocks = 1;
  kernels::KernelOptions kernels = {};
};

// With sequence parallelism (Mesh::sequence_parallel) every rank holds its part of the tokens between these
// layers: "[s, b, ...] in the sequence region" then means [s / size, b, ...].

/// A weight and perhaps a bias, spread over the tensor-parallel group.
class ParallelLinear {
 public:
  /// This rank's part of the bias: [out / size] of a column-parallel layer, [out] of a row-parallel one.
  std::optional<kernels::Weight> bias() const;

 protected:
  /// How the bias is held; see ParameterSpec.
  struct BiasSpec {
    std::vector<Shard> shards = {};
    bool partial_gradient = false;
  };
  ParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters,
                 const Shard& weight_shard, const BiasSpec& bias);

  Group group_;
  bool sequence_parallel_;
  kernels::KernelOptions kernels_;
  Parameter* weight_;
  Parameter* bias_ = nullptr;
};

/// y = x·Wᵀ with W's rows, and so y's columns, spread over the tensor-parallel group. x [s, b, in] in the
/// sequence region; returns [s, b, out / size].
class ColumnParallelLinear : public ParallelLinear {
 public:
  ColumnParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters);

  /// Adds the bias, if there is one.
  at::Tensor forward(const at::Tensor& x) const;
  /// Leaves the bias to the caller, who fuses it with what follows.
  at::Tensor forward_without_bias(const at::Tensor& x) const;
};

/// y = x·Wᵀ with W's columns, and so x's, spread over the tensor-parallel group. x [s, b, in / size]; returns
/// [s, b, out] in the sequence region, summed over the ranks. The bias is left to the caller, who adds it
/// once and fuses it with what follows.
class RowParallelLinear : public ParallelLinear {
 public:
  RowParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters);

  at::Tensor forward_without_bias(const at::Tensor& x) const;
  /// The same of activation(x, bias of the layer before), as one operator. x [s, b, in / size], twice as wide
  /// where the activation is gated.
  at::Tensor forward_of_activation(const at::Tensor& x, const std::optional<kernels::Weight>& bias,
                                   kernels::Activation activation) const;

 private:
  at::Tensor reduce(const at::Tensor& partial) const;
};

/// How many vectors a vocabulary has, and how many with those that make the ranks' shares equal.
struct VocabularyRows {
  std::int64_t used = 0;
  std::int64_t padded = 0;
};

/// The word embeddings: a table of vectors, its rows spread over the tensor-parallel group.
class VocabParallelEmbedding {
 public:
  /// `tied`: the output layer, perhaps of another pipeline stage, has the same weight.
  VocabParallelEmbedding(const std::string& name, const VocabularyRows& rows, std::int64_t width,
                         const Initializer& init, bool tied, const Mesh& mesh, ParameterSet& parameters,
                         const kernels::KernelOptions& kernels = {});

  /// ids int64 [s, b]; returns [s, b, width], all tokens on every rank.
  at::Tensor forward(const at::Tensor& ids) const;
  /// The same in the sequence region.
  at::Tensor forward_to_sequence_region(const at::Tensor& ids) const;
  Parameter& weight() const { return *weight_; }

 private:
  /// The rows that this rank holds; zeros for the others.
  at::Tensor partial(const at::Tensor& ids) const;

  Group group_;
  bool sequence_parallel_;
  kernels::KernelOptions kernels_;
  Parameter* weight_;
};

/// The output layer over a vocabulary that is spread over the tensor-parallel group. Its weight [v, h] is its
/// own or the embedding's.
class VocabParallelHead {
 public:
  /// `softcap` > 0: logits become softcap·tanh(logits / softcap).
  VocabParallelHead(Parameter& weight, const Mesh& mesh, double softcap,
                    const kernels::KernelOptions& kernels);

  /// hidden [s, b, h] in the sequence region; returns the logits of all columns, [s, b, vocabulary], on every
  /// rank.
  at::Tensor logits(const at::Tensor& hidden) const;
  /// Cross entropy of each label, int64 [s, b], in nats; fp32 [s, b] on every rank.
  at::Tensor losses(const at::Tensor& hidden, const at::Tensor& labels) const;
  /// The same with the gradients of the sum that is weighted by `loss_gradient`, fp32 [s, b]; see
  /// kernels::linear_cross_entropy_with_gradients. That of the hidden states is for the sequence region.
  kernels::OutputLayerLoss losses_and_gradients(const at::Tensor& hidden, const at::Tensor& labels,
                                                const at::Tensor& loss_gradient) const;

 private:
  at::Tensor to_tensor_region(const at::Tensor& hidden) const;
  kernels::VocabularyShard shard() const;

  Group group_;
  bool sequence_parallel_;
  Parameter* weight_;
  double softcap_;
  kernels::KernelOptions kernels_;
};

}  // namespace primus::parallel
