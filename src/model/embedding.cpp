#include "model/embedding.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/dropout.h"
#include "kernels/embedding.h"
#include "parallel/tensor_region.h"

namespace primus::model {

LanguageModelEmbedding::LanguageModelEmbedding(const TransformerConfig& config, const parallel::Mesh& mesh,
                                               parallel::ParameterSet& parameters)
    : tensor_group_(mesh.tensor()),
      sequence_parallel_(mesh.sequence_parallel()),
      dropout_(config.hidden_dropout),
      hidden_size_(config.hidden_size),
      kernels_(config.kernels),
      word_embeddings_("embedding.word_embeddings", {config.vocab_size, config.padded_vocab_size},
                       config.hidden_size, {.value = config.init_method_std},
                       !config.untie_embeddings_and_output_weights, mesh, parameters, config.kernels) {
  if (config.position_embedding == PositionEmbedding::learned_absolute) {
    position_embeddings_ = &parameters.add({.name = "embedding.position_embeddings.weight",
                                            .global_shape = {config.max_position_embeddings, hidden_size_},
                                            .init = {.value = config.init_method_std}});
  }
}

at::Tensor LanguageModelEmbedding::forward(const at::Tensor& tokens, const at::Tensor& positions,
                                           const ForwardContext& context) const {
  at::Tensor hidden;
  if (position_embeddings_ == nullptr) {
    hidden = word_embeddings_.forward_to_sequence_region(tokens);
  } else {
    hidden = word_embeddings_.forward(tokens) +
             kernels::embedding(positions, position_embeddings_->use(), 0, kernels_);
    if (sequence_parallel_) hidden = parallel::scatter_to_sequence_region(hidden, tensor_group_);
  }
  if (!context.training || dropout_ == 0.0) return hidden;
  return kernels::dropout(hidden, dropout_, context.hidden_dropout_key(-1, "embedding", hidden_size_),
                          kernels_);
}

}  // namespace primus::model
