#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

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

/// y = x·Wᵀ with W's rows, and so y's columns, spread over the tensor-parallel group. x [s, b, in] on every
/// rank; returns [s, b, out / size].
class ColumnParallelLinear {
 public:
  ColumnParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters);

  /// Adds the bias, if there is one.
  at::Tensor forward(const at::Tensor& x) const;
  /// Leaves the bias to the caller, who fuses it with what follows.
  at::Tensor forward_without_bias(const at::Tensor& x) const;
  /// This rank's part of the bias, [out / size].
  std::optional<kernels::Weight> bias() const;

 private:
  kernels::KernelOptions kernels_;
  Parameter* weight_;
  Parameter* bias_ = nullptr;
};

/// y = x·Wᵀ with W's columns, and so x's, spread over the tensor-parallel group. x [s, b, in / size]; returns
/// [s, b, out], summed over the ranks. The bias is left to the caller, who adds it once and fuses it with
/// what follows.
class RowParallelLinear {
 public:
  RowParallelLinear(const LinearSpec& spec, const Mesh& mesh, ParameterSet& parameters);

  at::Tensor forward_without_bias(const at::Tensor& x) const;
  /// [out].
  std::optional<kernels::Weight> bias() const;

 private:
  kernels::KernelOptions kernels_;
  Parameter* weight_;
  Parameter* bias_ = nullptr;
};

/// A table of `rows` vectors, its rows spread over the tensor-parallel group.
class VocabParallelEmbedding {
 public:
  VocabParallelEmbedding(const std::string& name, std::int64_t rows, std::int64_t width,
                         const Initializer& init, const Mesh& mesh, ParameterSet& parameters);

  /// ids int64 [s, b]; returns [s, b, width].
  at::Tensor forward(const at::Tensor& ids) const;
  Parameter& weight() const { return *weight_; }

 private:
  Parameter* weight_;
};

/// The output layer over a vocabulary that is spread over the tensor-parallel group. Its weight [v, h] is its
/// own or the embedding's.
class VocabParallelHead {
 public:
  /// `softcap` > 0: logits become softcap·tanh(logits / softcap).
  VocabParallelHead(Parameter& weight, const Mesh& mesh, double softcap,
                    const kernels::KernelOptions& kernels);

  /// hidden [s, b, h]; returns the logits of all columns, [s, b, vocabulary], on every rank.
  at::Tensor logits(const at::Tensor& hidden) const;
  /// Cross entropy of each label, int64 [s, b], in nats; fp32 [s, b] on every rank.
  at::Tensor loss(const at::Tensor& hidden, const at::Tensor& labels) const;

 private:
  Parameter* weight_;
  double softcap_;
  kernels::KernelOptions kernels_;
};

}  // namespace primus::parallel
