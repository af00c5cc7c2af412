#pragma once

#include <cstdint>

#include "model/transformer_config.h"

namespace primus::model {

// Counts that follow from the layers' specifications (model/layer_spec.h), so that they know every kind of
// layer.

/// Floating-point operations of forward and backward for `samples` sequences of `seq_length` tokens, as
/// Megatron counts them for its throughput: every multiplication of matrices forward once and backward twice,
/// attention without the causal half, padding rows of the vocabulary included, recomputation not.
double flops_per_iteration(const TransformerConfig& config, std::int64_t samples, std::int64_t seq_length);

/// Parameters of the whole model. Tied weights count once; rows that pad the vocabulary count.
std::int64_t parameter_count(const TransformerConfig& config);

/// Bytes per token of a sequence that a forward pass keeps for the backward when numbers have `element_size`
/// bytes; logits are not among them.
std::int64_t activation_bytes_per_token(const TransformerConfig& config, std::int64_t seq_length,
                                        std::int64_t element_size);

}  // namespace primus::model
