#pragma once

#include <ATen/core/Tensor.h>

#include "model/forward_context.h"
#include "model/transformer_config.h"
#include "parallel/layers.h"

namespace primus::model {

/// Word embedding, plus a learned vector per position when the model has no rotary embedding, then dropout.
class LanguageModelEmbedding {
 public:
  LanguageModelEmbedding(const TransformerConfig& config, const parallel::Mesh& mesh,
                         parallel::ParameterSet& parameters);

  /// tokens and positions int64 [s, b]; returns [s, b, h], with sequence parallelism this rank's tokens.
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& positions,
                     const ForwardContext& context) const;
  parallel::Parameter& word_embeddings() const { return word_embeddings_.weight(); }

 private:
  parallel::Group tensor_group_;
  bool sequence_parallel_;
  double dropout_;
  std::int64_t hidden_size_;
  kernels::KernelOptions kernels_;
  parallel::VocabParallelEmbedding word_embeddings_;
  parallel::Parameter* position_embeddings_ = nullptr;
};

}  // namespace primus::model
