#pragma once

#include <cstdint>

#include "config/arguments.h"

namespace primus::config {

/// Whether the count below knows this model: no hybrid layers, no linear or sparse attention, none of the
/// families that are counted by rules of their own.
bool has_operation_count(const Arguments& arguments);

/// The floating-point operations of one optimizer step, forward and backward, as Megatron counts them for GPT
/// models (dense, mixture of experts, latent attention, multi-token prediction): 6 per weight and token in
/// the matrix products, and the attention scores in full. `arguments` are derived ones; `vocabulary` is the
/// padded size.
double floating_point_operations(const Arguments& arguments, std::int64_t batch_size,
                                 std::int64_t vocabulary);

}  // namespace primus::config
