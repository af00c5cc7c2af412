#include "model/gpt_model.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"

namespace primus::model {

namespace {

/// [b, s] as [s, b]; undefined stays undefined.
at::Tensor sequence_first(const at::Tensor& x) { return x.defined() ? x.transpose(0, 1).contiguous() : x; }

/// int64 [s, b]: as given, or counted from the cached tokens on.
at::Tensor positions_of(const ModelInput& input) {
  if (input.positions.defined()) return sequence_first(input.positions);
  const std::int64_t first = input.cache != nullptr ? input.cache->length : 0;
  const std::int64_t samples = input.tokens.size(0), length = input.tokens.size(1);
  return at::arange(first, first + length, input.tokens.options()).unsqueeze(1).expand({length, samples});
}

}  // namespace

GPTModel::GPTModel(const TransformerConfig& config, const ChunkSpec& chunk, const parallel::Mesh& mesh,
                   const at::Device& device)
    : config_(config), chunk_(chunk), mesh_(mesh), parameters_(config.params_dtype, device) {
  check(config);
  check_shared_by(config, mesh.tensor().size());
  if (chunk.pre_process) embedding_.emplace(config, mesh, parameters_);
  layers_.reserve(chunk.layers.size());
  for (std::size_t i = 0; i < chunk.layers.size(); ++i)
    layers_.emplace_back(config, chunk.layers[i], i, mesh, parameters_);
  if (chunk.post_process) {
    final_layernorm_.emplace(config, "decoder.final_layernorm.", config.hidden_size, mesh.sequence_parallel(),
                             parameters_);
    add_output_layer(mesh);
  }
}

/// Tied weights: the embedding's own parameter, or a copy of it when another stage owns it.
void GPTModel::add_output_layer(const parallel::Mesh& mesh) {
  const bool tied = !config_.untie_embeddings_and_output_weights;
  parallel::Parameter* weight = nullptr;
  if (tied && embedding_) {
    weight = &embedding_->word_embeddings();
    weight->add_use();
  } else {
    weight = &parameters_.add({.name = tied ? "embedding.word_embeddings.weight" : "output_layer.weight",
                               .global_shape = {config_.padded_vocab_size, config_.hidden_size},
                               .unpadded_rows = config_.vocab_size,
                               .shards = {{.rank = mesh.tensor().rank(), .size = mesh.tensor().size()}},
                               .init = {.value = config_.init_method_std},
                               .role = parallel::Role::output_layer,
                               .tied_across_stages = tied,
                               .shared_copy = tied});
  }
  output_layer_.emplace(*weight, mesh, config_.final_logit_softcapping, config_.kernels);
}

void GPTModel::initialize() {
  for (const auto& parameter : parameters_.all()) parameter->initialize(config_.seed);
}

at::Tensor GPTModel::forward(const ModelInput& input, const at::Tensor& hidden) const {
  const at::Tensor positions = positions_of(input);
  const ForwardContext context = make_context(input, positions);
  at::Tensor x = embedding_ ? embedding_->forward(sequence_first(input.tokens), positions, context) : hidden;
  for (const TransformerLayer& layer : layers_) x = layer.forward(x, context);
  if (input.cache != nullptr) input.cache->length += input.tokens.size(1);
  return final_layernorm_ ? final_layernorm_->forward(x) : x;
}

at::Tensor GPTModel::losses(const ModelInput& input, const at::Tensor& hidden) const {
  return output_layer_->losses(hidden, sequence_first(input.labels)).transpose(0, 1);
}

kernels::OutputLayerLoss GPTModel::losses_and_gradients(const ModelInput& input, const at::Tensor& hidden,
                                                        const at::Tensor& loss_gradient) const {
  kernels::OutputLayerLoss result = output_layer_->losses_and_gradients(hidden, sequence_first(input.labels),
                                                                        sequence_first(loss_gradient));
  result.losses = result.losses.transpose(0, 1);
  return result;
}

at::Tensor GPTModel::logits(const ModelInput& input) const {
  return output_layer_->logits(forward(input)).transpose(0, 1);
}

ForwardContext GPTModel::make_context(const ModelInput& input, const at::Tensor& positions) const {
  ForwardContext context;
  context.documents = sequence_first(input.documents);
  context.training = input.training;
  context.seed = config_.seed;
  context.step = input.step;
  context.cache = input.cache;
  if (config_.position_embedding == PositionEmbedding::rope) {
    const bool same_in_every_sample = !input.positions.defined();
    context.rope =
        kernels::rope_table(config_.rope, same_in_every_sample ? positions.select(1, 0) : positions);
  }
  if (input.training) {
    const std::int64_t samples = input.tokens.size(0), length = input.tokens.size(1);
    const at::Tensor sample =
        at::arange(input.first_sample, input.first_sample + samples, input.tokens.options());
    context.token_index =
        sample.unsqueeze(0) * length + at::arange(length, input.tokens.options()).unsqueeze(1);
    context.hidden_token_index = context.token_index;
    if (mesh_.sequence_parallel()) {
      context.hidden_token_index = context.token_index.chunk(mesh_.tensor().size())[mesh_.tensor().rank()];
    }
  }
  return context;
}

}  // namespace primus::model
