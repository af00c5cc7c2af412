#pragma once

namespace primus::kernels {

// Shapes, here and in model/. Activations are sequence first, as in Megatron, so that sequence parallelism
// cuts the outermost dimension and its gathers and scatters need no copy:
//
//   s  sequence positions held here       a  query heads            d   head size of queries and keys
//   b  samples of the micro-batch         g  key/value heads        dv  head size of values
//   h  hidden size                        r  query heads per key/value head, a = g * r
//   f  width of the MLP, one branch       v  vocabulary entries held here
//
// `[..., h]` stands for any leading dimensions. "fp32" beside an output means: whatever the input's dtype.

/// Which operators use the fused version for the device at hand instead of the reference composite. Both
/// compute the same function; `enable_primus_turbo` and its sub-flags set these. A fused version that does
/// not cover a call (an odd shape, a rare option) leaves it to the reference.
struct KernelOptions {
  bool fused_linear = false;
  bool fused_attention = false;
  bool fused_norm = false;
  bool fused_activation = false;
  bool fused_rope = false;
  bool fused_dropout = false;
  bool fused_cross_entropy = false;
  bool fused_embedding = false;

  static KernelOptions all_fused() { return {true, true, true, true, true, true, true, true}; }
};

}  // namespace primus::kernels
