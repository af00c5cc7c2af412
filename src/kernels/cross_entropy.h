#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "kernels/options.h"
#include "kernels/weight.h"

namespace primus::kernels {

/// What the loss needs to know of the logits of each token, over the columns held here. All fp32 [n].
struct LogitStatistics {
  at::Tensor maximum;
  /// Sum of exp(logit - maximum).
  at::Tensor sum_of_exponentials;
  /// The label's logit; 0 when the label lies in another rank's columns.
  at::Tensor label_logit;
};

/// Which columns of the vocabulary the logits here are, and how statistics become those of all columns.
struct VocabularyShard {
  std::int64_t first = 0;
  /// Replaces statistics of the columns here by those of all columns (collectives); empty: all are here.
  std::function<void(LogitStatistics&)> combine = {};
};

/// Cross entropy in nats, log Σexp(logits) - logits[label], computed in fp32. logits [s, b, v], labels int64
/// [s, b] in the whole vocabulary; a label that is nowhere counts as logit 0. Returns fp32 [s, b].
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                         const VocabularyShard& shard = {}, const KernelOptions& options = {});

/// cross_entropy(softcap(hidden·Wᵀ), labels) of an output layer. hidden [s, b, h], weight [v, h], labels
/// int64 [s, b]; `softcap` > 0: logits become softcap·tanh(logits / softcap). Returns fp32 [s, b]. Under
/// autograd all logits are kept for the backward; training calls the function below. Over several holders of
/// the vocabulary the gradient of `hidden` is a partial sum, as a column-parallel linear's.
at::Tensor linear_cross_entropy(const at::Tensor& hidden, const Weight& weight, const at::Tensor& labels,
                                const VocabularyShard& shard = {}, double softcap = 0.0,
                                const KernelOptions& options = {});

/// The losses of an output layer, and the gradients of their weighted sum.
struct OutputLayerLoss {
  /// fp32 [s, b], in nats.
  at::Tensor losses;
  /// [s, b, h], in the dtype of the hidden states.
  at::Tensor hidden_gradient;
  /// [v, h] for a weight without a sink. A sink has it added, or is handed its computation to be run later
  /// (GradientSink::defer).
  at::Tensor weight_gradient;
};

/// The losses and their gradients in one go, outside of autograd, so that the logits are never all in memory.
/// `loss_gradient` fp32 [s, b]: the weight of each loss in the sum that is differentiated.
OutputLayerLoss linear_cross_entropy_with_gradients(const at::Tensor& hidden, const Weight& weight,
                                                    const at::Tensor& labels, const at::Tensor& loss_gradient,
                                                    const VocabularyShard& shard = {}, double softcap = 0.0,
                                                    const KernelOptions& options = {});

}  // namespace primus::kernels
