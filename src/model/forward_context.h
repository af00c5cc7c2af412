#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "kernels/dropout.h"
#include "kernels/rope.h"

namespace primus::model {

/// Keys and values of the tokens already seen, for generation: per layer of the chunk [t, b, g, d].
struct KeyValueCache {
  struct Layer {
    at::Tensor key;
    at::Tensor value;
  };
  std::vector<Layer> layers;
  /// Tokens seen by all layers.
  std::int64_t length = 0;
};

/// What all layers of one forward pass share.
struct ForwardContext {
  /// Of the positions of this pass; undefined cos without rotary embedding.
  kernels::RopeTable rope;
  /// int32 [s, b]: documents that must not see each other; undefined: one.
  at::Tensor documents;
  /// Dropout is on.
  bool training = false;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  /// int64 [s, b]: each token's number within the global batch. Needed for dropout.
  at::Tensor token_index;
  /// The same for the tokens of this rank's part of the sequence; equal without sequence parallelism.
  at::Tensor hidden_token_index;
  /// Null in training.
  KeyValueCache* cache = nullptr;

  /// The key of a dropout of `columns` columns in layer `layer` (global number, from 0; -1: the embedding).
  kernels::DropoutKey dropout_key(std::int64_t layer, const std::string& site, std::int64_t columns) const;
  /// The same for hidden states, of which this rank may hold its part of the sequence.
  kernels::DropoutKey hidden_dropout_key(std::int64_t layer, const std::string& site,
                                         std::int64_t columns) const;
};

}  // namespace primus::model
