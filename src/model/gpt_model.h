#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "model/embedding.h"
#include "model/forward_context.h"
#include "model/layer_spec.h"
#include "model/norm.h"
#include "model/transformer_config.h"
#include "model/transformer_layer.h"
#include "parallel/layers.h"
#include "parallel/mesh.h"
#include "parallel/parameter.h"

namespace primus::model {

/// The part of the model that one chunk of a pipeline stage holds.
struct ChunkSpec {
  std::vector<LayerSpec> layers;
  /// Holds the embedding.
  bool pre_process = true;
  /// Holds the final norm and the output layer.
  bool post_process = true;

  static ChunkSpec whole(const TransformerConfig& config) {
    return {.layers = layer_specs(config), .pre_process = true, .post_process = true};
  }
};

/// One micro-batch. Tokens come batch first, as data sets have them.
struct ModelInput {
  /// int64 [b, s]. A chunk without the embedding reads its shape alone.
  at::Tensor tokens;
  /// int64 [b, s]; needed where losses are computed.
  at::Tensor labels = {};
  /// int64 [b, s]; undefined: 0, 1, 2, ... (after the cached tokens, if any).
  at::Tensor positions = {};
  /// int32 [b, s]: documents that must not see each other (reset_attention_mask); undefined: one.
  at::Tensor documents = {};
  /// Dropout is on, and is drawn for these:
  bool training = false;
  std::int64_t step = 0;
  /// Number of the first sample within the global batch of the step.
  std::int64_t first_sample = 0;
  /// For generation; null otherwise.
  KeyValueCache* cache = nullptr;
};

/// A GPT-family decoder (GPT-2, Llama, Qwen, ...), or the part of it that a pipeline chunk holds.
class GPTModel {
 public:
  /// Parameters are allocated, not initialised. Throws UserError when the configuration does not fit the
  /// mesh.
  GPTModel(const TransformerConfig& config, const ChunkSpec& chunk, const parallel::Mesh& mesh,
           const at::Device& device = at::kCPU);
  GPTModel(const GPTModel&) = delete;
  GPTModel& operator=(const GPTModel&) = delete;

  /// Draws all weights; depends on the configuration's seed alone, not on the layout.
  void initialize();

  /// Everything but the output layer: the hidden states [s, b, h] for the next chunk, or for the output
  /// layer. `hidden` is the previous chunk's output; undefined for the first. With sequence parallelism [s /
  /// size, b, h].
  at::Tensor forward(const ModelInput& input, const at::Tensor& hidden = {}) const;

  // Of a chunk with the output layer; `hidden` is what `forward` returned.

  /// The cross entropy of each label in nats, fp32 [b, s].
  at::Tensor losses(const ModelInput& input, const at::Tensor& hidden) const;
  /// The same with the gradients of the losses' sum weighted by `loss_gradient`, fp32 [b, s]. That of the
  /// hidden states starts the backward pass; that of the weight is added to its sink.
  kernels::OutputLayerLoss losses_and_gradients(const ModelInput& input, const at::Tensor& hidden,
                                                const at::Tensor& loss_gradient) const;

  /// The logits [b, s, padded vocabulary] of the whole model.
  at::Tensor logits(const ModelInput& input) const;

  /// An empty cache for this chunk.
  KeyValueCache make_cache() const { return {std::vector<KeyValueCache::Layer>(layers_.size())}; }

  const TransformerConfig& config() const { return config_; }
  const ChunkSpec& chunk() const { return chunk_; }
  parallel::ParameterSet& parameters() { return parameters_; }
  const parallel::ParameterSet& parameters() const { return parameters_; }

 private:
  ForwardContext make_context(const ModelInput& input, const at::Tensor& positions) const;
  void add_output_layer(const parallel::Mesh& mesh);

  TransformerConfig config_;
  ChunkSpec chunk_;
  parallel::Mesh mesh_;
  parallel::ParameterSet parameters_;
  std::optional<LanguageModelEmbedding> embedding_;
  std::vector<TransformerLayer> layers_;
  std::optional<Norm> final_layernorm_;
  std::optional<parallel::VocabParallelHead> output_layer_;
};

}  // namespace primus::model
