#pragma once

#include <cstdint>

#include "model/transformer_config.h"

namespace primus::model {

/// Floating-point operations of forward and backward for `samples` sequences of `seq_length` tokens, as
/// Megatron counts them for its throughput: every multiplication of matrices forward once and backward twice,
/// attention without the causal half, padding rows of the vocabulary included, recomputation not.
double flops_per_iteration(const TransformerConfig& config, std::int64_t samples, std::int64_t seq_length);

/// Parameters of the whole model. Tied weights count once; rows that pad the vocabulary count.
std::int64_t parameter_count(const TransformerConfig& config);

}  // namespace primus::model
