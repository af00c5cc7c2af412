#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "kernels/options.h"

namespace primus::kernels {

/// How rotary frequencies are stretched beyond the trained length in Llama 3.1: long waves are slowed by
/// `factor`, short ones kept, those between blended.
struct LlamaRopeScaling {
  double factor = 8.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  std::int64_t original_max_positions = 8192;

  bool operator==(const LlamaRopeScaling&) const = default;
};

struct RopeConfig {
  /// Number of leading elements of each head that are rotated (even): kv_channels * rotary_percent.
  std::int64_t dim = 0;
  double base = 10000.0;
  /// Positions are divided by this (rotary_seq_len_interpolation_factor).
  double interpolation_factor = 1.0;
  std::optional<LlamaRopeScaling> llama_scaling = {};
  /// false: element i turns with element i + dim/2 (Llama as Hugging Face stores it). true: elements 2i and
  /// 2i + 1 turn together (rotary_interleaved).
  bool interleaved = false;

  bool operator==(const RopeConfig&) const = default;
};

/// Angle per position of each rotated pair: base^(-2i/dim), scaled as configured. fp64 [dim/2].
at::Tensor rope_frequencies(const RopeConfig& config);

/// Cosines and sines of the positions' angles, both fp32 [s, b or 1, dim/2].
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
  bool interleaved = false;
};

/// `positions` int64 [s] (the same in every sample) or [s, b]. Angles are computed in fp64.
RopeTable rope_table(const RopeConfig& config, const at::Tensor& positions);

/// Rotary position embedding (Su et al., 2021): turns the first 2·(dim/2) elements of every head, the rest
/// pass. x [s, b, heads, d] or [s, b, g, r, d]; any strides with the last one 1. Computed in fp32, returns
/// x's shape and dtype, contiguous.
at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table, const KernelOptions& options = {});

/// The same on the output of the fused query-key-value projection, without unpacking it: qkv
/// [s, b, g, r + 2, d], where slots 0..r-1 are queries, slot r the key and slot r + 1 the value, which
/// passes.
at::Tensor apply_rope_packed(const at::Tensor& qkv, const RopeTable& table,
                             const KernelOptions& options = {});

}  // namespace primus::kernels
