#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/cpu/features.h"
#include "kernels/rope.h"

namespace primus::kernels::cpu {

bool covers_rotation(const at::Tensor& x);

/// Turns all heads of x [s, b, heads, d] or [s, b, g, r, d], or, when `packed`, those of [s, b, g, r + 2, d]
/// but the last of each group, in one pass; `direction` -1 turns back. Returns a contiguous tensor. No
/// autograd.
at::Tensor rotate(const at::Tensor& x, const RopeTable& table, bool packed, int direction,
                  Isa isa = best_isa());

}  // namespace primus::kernels::cpu
